"""Reads files, and puts the items of those that they include in place of the includes.

Of a folder, what ends in `.conf` is read. What editors and package managers leave beside it would be read later, and so
win: it is left out, and said to be.
"""

import errno
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import replace
from glob import has_magic, iglob
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from angarium.config.parser import parse
from angarium.config.problems import Position, ProblemList, SourceText
from angarium.config.syntax import Include, Item, Stanza

MAX_FILES = 1000
"""Files that one configuration may be made of: an include that multiplies ends here."""
MAX_INCLUDE_DEPTH = 20
MAX_FILE_BYTES = 64 * 1024 * 1024
_MAX_LINKS = 40
_TOLD = 5

_LEFTOVER = re.compile(
    r"[.#]|.*(~|\.(bak|old|orig|rej|save|tmp|sw[a-p]|disabled|(dpkg|ucf)-[a-z]+|rpm(new|save|orig)))\Z",
    re.IGNORECASE | re.DOTALL,
)
"""The names of hidden files, and of what editors, patch, dpkg, rpm and people put beside a file that they change."""


class _Open(NamedTuple):
    """A file that is being read: under which name, and which file that is when links are followed."""

    path: Path
    real: str


class IncludeReader:
    """Reads a file with all that it includes. What is left out of a folder is noted in *warnings*."""

    def __init__(self, problems: ProblemList, warnings: ProblemList) -> None:
        self.problems = problems
        self.warnings = warnings
        self.count = 0

    def file(self, path: Path, at: Position | None = None, outer: tuple[_Open, ...] = ()) -> tuple[Item, ...]:
        """Return the items of *path*, nothing when it cannot be read. *at* is the include, *outer* what it is in."""
        self.count += 1
        text = self.text(path, at)
        if text is None:
            return ()
        items = parse(SourceText(str(path), text), self.problems)
        return self.expand(items, path, (*outer, _Open(path, os.path.realpath(path))))

    def expand(self, items: Iterable[Item], path: Path, outer: tuple[_Open, ...] = ()) -> tuple[Item, ...]:
        """Return *items*, which stand in *path*, without includes."""
        found: list[Item] = []
        for item in items:
            if isinstance(item, Include):
                found.extend(self.include(item, path, outer))
            elif isinstance(item, Stanza):
                found.append(replace(item, items=self.expand(item.items, path, outer)))
            else:
                found.append(item)
        return tuple(found)

    # one file

    def text(self, path: Path, at: Position | None) -> str | None:
        try:
            if at is not None and not stat.S_ISREG(path.stat().st_mode):
                raise OSError("it is no file")
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                raise OSError("it is larger than any configuration")
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            hint = f"look at line {line}; save the file as UTF-8"
            self.unreadable(path, at, f"byte {error.start} is not UTF-8", hint)
        except OSError as error:
            self.unreadable(path, at, _reason(error, path))
        return None

    def unreadable(self, path: Path, at: Position | None, reason: str, hint: str = "") -> None:
        message = f"cannot read {path.absolute()}: {reason}"
        if at is None:
            self.problems.add_file(str(path), message, hint)
        else:
            self.problems.add(at, message, hint)

    # what an include names

    def include(self, item: Include, path: Path, outer: tuple[_Open, ...]) -> list[Item]:
        found: list[Item] = []
        for file in self.files(item, path):
            if self.may_read(file, item.path.at, outer):
                found.extend(self.file(file, item.path.at, outer))
        return found

    def files(self, item: Include, path: Path) -> list[Path]:
        """Return the files that an include names: a folder's, those that match, or the one."""
        at, name = item.path.at, item.path.text.removeprefix("file://")
        if not name or "://" in name:
            self.problems.add(at, f'"{name}" is not a file', "write the name of a file, a folder or *.conf")
            return []
        target = path.parent / name
        try:
            if target.is_dir():
                return self.chosen(target, list(target.iterdir()), ".conf", at)
            if has_magic(name) and not target.exists():
                return self.chosen(target, self.matching(target, at), "", at)
        except OSError as error:
            self.unreadable(target, at, _reason(error, target))
            return []
        return [target]

    def matching(self, target: Path, at: Position) -> list[Path]:
        found = [Path(name) for name in islice(iglob(str(target)), MAX_FILES + 1)]
        if not found:
            self.warnings.add(at, f"nothing matches {target}")
        return found

    def chosen(self, target: Path, paths: list[Path], ending: str, at: Position) -> list[Path]:
        """Return those of *paths* that are read, in order of their names, and say which are not."""
        read = sorted(
            p for p in paths if p.name.endswith(ending) and not _LEFTOVER.match(p.name) and not p.is_dir()
        )
        left = sorted({path.name for path in paths} - {path.name for path in read})
        if left:
            more = f" and {len(left) - _TOLD} more" if len(left) > _TOLD else ""
            what = f"of a folder *{ending} is read, and" if ending else "a pattern takes"
            hint = f"{what} no hidden files, backups and folders"
            self.warnings.add(at, f"{target}: left out {', '.join(left[:_TOLD])}{more}", hint)
        return read

    def may_read(self, path: Path, at: Position, outer: tuple[_Open, ...]) -> bool:
        real = os.path.realpath(path)
        around = next((index for index, file in enumerate(outer) if file.real == real), None)
        if around is not None:
            names = [file.path for file in outer[around:]]
            link = f" (a link to {names[0]})" if path != names[0] else ""
            chain = " → ".join(map(str, [*names, path]))
            message = f"{names[0]} includes itself: {chain}{link}"
            self.problems.add(at, message, "take one of the includes out")
        elif len(outer) >= MAX_INCLUDE_DEPTH:
            self.problems.add(at, f"more than {MAX_INCLUDE_DEPTH} files include each other")
        elif self.count >= MAX_FILES:
            self.problems.add(at, f"the configuration has more than {MAX_FILES} files")
        else:
            return True
        return False


def _reason(error: OSError, path: Path) -> str:
    if error.errno == errno.ELOOP:
        return f"it is a link that leads back to itself: {_links_from(path)}"
    return error.strerror or str(error)


def _links_from(path: Path) -> str:
    """Return the way from link to link until one comes again."""
    way = [path]
    while len(way) < _MAX_LINKS and way[-1] not in way[:-1]:
        try:
            way.append(Path(os.path.normpath(way[-1].parent / os.readlink(way[-1]))))
        except OSError:
            break
    return " → ".join(map(str, way))
