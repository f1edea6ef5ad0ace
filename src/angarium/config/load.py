"""Reads configuration files and makes a `Config` of them, or raises every problem at once."""

import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from angarium.config.build import Builder
from angarium.config.listeners import check_bindings, check_overlap, digest, http_sockets, smtp_sockets
from angarium.config.model import Config
from angarium.config.parser import parse
from angarium.config.problems import Position, ProblemList, SourceText
from angarium.config.records import ListenerConfig
from angarium.config.syntax import Include, Item, Stanza

MAX_FILES = 1000
"""Files that one configuration may be made of: an include that multiplies ends here."""
MAX_INCLUDE_DEPTH = 20
MAX_FILE_BYTES = 64 * 1024 * 1024


def load_config(path: Path | None, *, generation: int = 1) -> Config:
    """Return the configuration in *path*, or the defaults when it is None.

    Raises ConfigErrors with every problem there is, unreadable files included. Reads files and the host name.
    """
    problems = ProblemList()
    items = () if path is None else _Reader(problems).file(path, None)
    return _finish(items, problems, generation)


def parse_config(text: str, name: str = "angarium.conf", *, generation: int = 1) -> Config:
    """Return the configuration in *text*; includes are relative to the current folder.

    Raises ConfigErrors.
    """
    problems = ProblemList()
    items = parse(SourceText(name, text), problems)
    return _finish(_Reader(problems).expand(items, Path(name), ()), problems, generation)


class _Reader:
    """Puts the items of included files in place of their includes."""

    def __init__(self, problems: ProblemList) -> None:
        self.problems = problems
        self.count = 0

    def file(self, path: Path, at: Position | None, outer: tuple[Path, ...] = ()) -> tuple[Item, ...]:
        self.count += 1
        text = self.text(path, at)
        if text is None:
            return ()
        items = parse(SourceText(str(path), text), self.problems)
        return self.expand(items, path, (*outer, path.resolve()))

    def text(self, path: Path, at: Position | None) -> str | None:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                raise OSError("it is larger than any configuration")
            return data.decode("utf-8-sig")
        except (OSError, ValueError) as error:
            self.unreadable(path, at, error)
            return None

    def unreadable(self, path: Path, at: Position | None, error: OSError | ValueError) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = f"byte {error.start} is not UTF-8"
        if at is None:
            self.problems.add_file(str(path), f"cannot read {path.absolute()}: {reason}")
        else:
            self.problems.add(at, f"cannot read {path.absolute()}: {reason}")

    def expand(self, items: Iterable[Item], path: Path, outer: tuple[Path, ...]) -> tuple[Item, ...]:
        found: list[Item] = []
        for item in items:
            if isinstance(item, Include):
                found.extend(self.include(item, path, outer))
            elif isinstance(item, Stanza):
                found.append(replace(item, items=self.expand(item.items, path, outer)))
            else:
                found.append(item)
        return tuple(found)

    def include(self, item: Include, path: Path, outer: tuple[Path, ...]) -> list[Item]:
        target = path.parent / item.path.text
        if target.is_dir():
            files = sorted(
                file for file in target.iterdir() if file.is_file() and not file.name.startswith(".")
            )
        else:
            files = [target]
        found: list[Item] = []
        for file in files:
            if self.may_read(file, item.path.at, outer):
                found.extend(self.file(file, item.path.at, outer))
        return found

    def may_read(self, path: Path, at: Position, outer: tuple[Path, ...]) -> bool:
        if path.resolve() in outer:
            self.problems.add(at, f"{path} includes itself", "take one of the includes out")
        elif len(outer) >= MAX_INCLUDE_DEPTH:
            self.problems.add(at, f"more than {MAX_INCLUDE_DEPTH} files include each other")
        elif self.count >= MAX_FILES:
            self.problems.add(at, f"the configuration has more than {MAX_FILES} files")
        else:
            return True
        return False


def _finish(items: Iterable[Item], problems: ProblemList, generation: int) -> Config:
    builder = Builder(problems)
    builder.fill(builder.root, items)
    root = builder.root
    check_bindings(root, problems)
    sockets = smtp_sockets(root, problems)
    http = http_sockets(root, problems)
    check_overlap(root, problems)
    hostname = socket.gethostname()
    draft = Config(root, (), (), http, hostname, generation)
    rules = builder.rules.finish(set(draft.bindings), draft.groups, set(sockets))
    problems.raise_any()
    listeners = tuple(
        ListenerConfig(name, listens, digest(draft, name, listens)) for name, listens in sockets.items()
    )
    return Config(root, rules, listeners, http, hostname, generation)
