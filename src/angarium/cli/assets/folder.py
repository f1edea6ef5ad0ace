"""Templates as files: a folder for each, with `meta.json` and a file for each part. Pure, but for reading and writing.

welcome/meta.json       {"name": "Welcome", "subject": "Hello {{name}}", "layout": "frame", …}
welcome/content.html    content.txt, content.amp.html
"""

from pathlib import Path
from typing import Final

import msgspec

from angarium.assets.templates.ready import PARTS, Part
from angarium.assets.templates.records import StoredTemplate, TemplateContent, TemplateKind
from angarium.cli.options import Failure

META: Final = "meta.json"
FILES: Final = {"html": "content.html", "text": "content.txt", "amp": "content.amp.html"}


class TemplateFolder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What `meta.json` says. *content* is without its parts and its layout, which is named by its alias."""

    name: str
    description: str = ""
    kind: TemplateKind = "standard"
    layout: str = ""
    content: TemplateContent = msgspec.field(default_factory=TemplateContent)


def write_folder(folder: Path, template: StoredTemplate, content: TemplateContent, layout: str) -> None:
    """Write a template; *layout* is the alias of its layout. Files of parts that it has not go. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    bare = msgspec.structs.replace(content, text=None, html=None, amp=None, layout=None)
    meta = TemplateFolder(
        name=template.name,
        description=template.description,
        kind=template.kind,
        layout=layout,
        content=bare,
    )
    (folder / META).write_bytes(msgspec.json.format(msgspec.json.encode(meta), indent=2) + b"\n")
    for part in PARTS:
        text = getattr(content, part)
        if text is None:
            (folder / FILES[part]).unlink(missing_ok=True)
        else:
            (folder / FILES[part]).write_text(text, encoding="utf-8", newline="")


def read_folder(folder: Path) -> tuple[TemplateFolder, dict[Part, str | None]]:
    """Return what a folder says, and its parts. Raises Failure."""
    try:
        meta = msgspec.json.decode((folder / META).read_bytes(), type=TemplateFolder)
        parts = {part: _text(folder / FILES[part]) for part in PARTS}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{folder}: {error}") from error
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return meta, parts


def folders_in(folder: Path) -> list[Path]:
    """Return the folders of templates, by their names."""
    return sorted(path.parent for path in folder.glob(f"*/{META}"))


def _text(path: Path) -> str | None:
    return path.read_bytes().decode() if path.exists() else None
