"""Reads configuration files and makes a `Config` of them, or raises every problem at once."""

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from angarium.config.build import Builder
from angarium.config.effects import warn_of_hidden_domains
from angarium.config.includes import IncludeReader
from angarium.config.listeners import (
    check_bindings,
    check_overlap,
    digest,
    http_sockets,
    put_sockets,
    smtp_sockets,
)
from angarium.config.model import Config
from angarium.config.parser import parse
from angarium.config.problems import ProblemList, SourceText
from angarium.config.records import ListenerConfig
from angarium.config.syntax import Item

BUILT_IN = "built-in"
"""What stands for the name of a file where there is none."""


class Instead(NamedTuple):
    """Sockets that a command line gives, as `Listen` names them; none: those of the configuration."""

    listen: tuple[str, ...] = ()
    http: tuple[str, ...] = ()


NOTHING_INSTEAD = Instead()


def load_config(
    path: Path | None, *, generation: int = 1, instead: Instead = NOTHING_INSTEAD, built_in: str = ""
) -> Config:
    """Return the configuration in *path*, or that in the text *built_in* when it is None.

    Raises ConfigErrors with every problem there is, unreadable files included. Reads files and the host name.
    """
    problems, warnings = ProblemList(), ProblemList()
    if path is None:
        items = parse(SourceText(BUILT_IN, built_in), problems)
    else:
        items = IncludeReader(problems, warnings).file(path)
    return _finish(items, problems, warnings, generation, instead)


def parse_config(text: str, name: str = "angarium.conf", *, generation: int = 1) -> Config:
    """Return the configuration in *text*; includes are relative to the current folder.

    Raises ConfigErrors.
    """
    problems, warnings = ProblemList(), ProblemList()
    items = parse(SourceText(name, text), problems)
    expanded = IncludeReader(problems, warnings).expand(items, Path(name))
    return _finish(expanded, problems, warnings, generation)


def _finish(
    items: Iterable[Item],
    problems: ProblemList,
    warnings: ProblemList,
    generation: int,
    instead: Instead = NOTHING_INSTEAD,
) -> Config:
    builder = Builder(problems, warnings)
    builder.fill(builder.root, items)
    root = builder.root
    put_sockets(root, "esmtp_listener", instead.listen, "--listen", problems)
    put_sockets(root, "http_listener", instead.http, "--http", problems)
    check_bindings(root, problems)
    sockets = smtp_sockets(root, problems)
    http = http_sockets(root, problems)
    check_overlap(root, problems)
    warn_of_hidden_domains(root, warnings)
    hostname = socket.gethostname()
    draft = Config(root, (), (), http, hostname, generation)
    rules = builder.rules.finish(set(draft.bindings), draft.groups, set(sockets))
    problems.raise_any()
    listeners = tuple(
        ListenerConfig(name, listens, digest(draft, name, listens)) for name, listens in sockets.items()
    )
    return Config(root, rules, listeners, http, hostname, generation, tuple(warnings.problems))
