"""What a node needs that is not in its data folder: the files of its configuration, and those that it names."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from angarium.config.model import Config
from angarium.config.scopes import Scope

_SECRET = ("tls_key", "tls_certificate", "secrets_key_file", "outbound_smtp_auth_pass_file")
"""Options whose files are keys, or may hold one beside a certificate."""
_NOT_OURS = ("resolv_conf",)


class Named(NamedTuple):
    """A file that is there, by its real path. *is_secret*: it is a key."""

    path: Path
    is_secret: bool


def named_files(config: Config, main: Path | None, data: Path) -> list[Named]:
    """Return the files of the configuration *main*, and those that it names, outside of the folder *data*."""
    found: dict[Path, bool] = {}
    for path, is_secret in _all(config, main):
        if path.is_file() and not path.is_relative_to(data):
            found[path] = found.get(path, False) or is_secret
    return [Named(*each) for each in sorted(found.items())]


def _all(config: Config, main: Path | None) -> Iterator[tuple[Path, bool]]:
    if main is None:
        return
    yield real(main), False
    for scope in config.root.walk():
        yield from ((real(file), False) for file in _files_of(scope))
        for family in scope.settings.values():
            for field, setting in family.items():
                if field not in _NOT_OURS:
                    yield from ((real(path), field in _SECRET) for path in _paths_in(setting.value))


def _files_of(scope: Scope) -> Iterator[Path]:
    if scope.at is not None:
        yield Path(scope.at.file)
    for family in scope.settings.values():
        yield from (Path(setting.where.file) for setting in family.values())


def _paths_in(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, tuple):
        yield from (each for each in value if isinstance(each, Path))


def real(path: Path) -> Path:
    """Return where a file is, links followed; also those of another process's folder."""
    return Path(os.path.realpath(path))
