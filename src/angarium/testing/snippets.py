"""The code blocks of documentation pages, so that tests can run what readers are told to paste.

A block whose language is followed by a file name belongs into that file. A `diff` block, without lines of context, is a
change to a block above it.
"""

import re
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

DOCS = Path(__file__).parents[3] / "docs"

_FENCED = re.compile(r"^( *)```(\S+)(?: (\S+))?\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_CHANGE = re.compile(r"((?:^-.*\n)+)((?:^\+.*\n)*)", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block. *file* is where it belongs; empty: it is to be run."""

    language: str
    file: str
    text: str


def sections(page: str) -> dict[str, list[Block]]:
    """Return the blocks of a page of the documentation by the heading above them, "" for those before the first.

    Sections without blocks are left out.
    """
    parts = re.split(r"^###? ", "\n" + (DOCS / page).read_text(), flags=re.MULTILINE)
    found = {part.partition("\n")[0]: _blocks(part) for part in parts}
    return {title: blocks for title, blocks in found.items() if blocks}


def _blocks(text: str) -> list[Block]:
    return [Block(match[2], match[3] or "", match[4]) for match in _FENCED.finditer(text)]


def changed(blocks: Sequence[Block], diff: str) -> list[Block]:
    """Return the blocks after a change: each run of removed lines stands in one of them, the added ones take its place.

    Raises ValueError when removed lines are not there, or more than once.
    """
    found = list(blocks)
    for removed, added in _CHANGE.findall(diff):
        old, new = (re.sub(r"^.", "", lines, flags=re.MULTILINE) for lines in (removed, added))
        if sum(block.text.count(old) for block in found) != 1:
            raise ValueError(f"not exactly once in the blocks above:\n{old}")
        found = [block._replace(text=block.text.replace(old, new)) for block in found]
    return found


def module_of(path: Path) -> ModuleType:
    """Return the program in a file of the documentation as a module, so that a test can call it."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no program")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
