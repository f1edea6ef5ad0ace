"""Logs of the node's processes."""

from collections.abc import Callable
from typing import Any

from angarium.config.model import Config
from angarium.core.log import Log


def make_log(
    config: Config, later: Callable[[Callable[[], None]], object] | None = None, **fields: Any
) -> Log:
    """Make the log that the configuration asks for, on standard error; *later* as of Log."""
    fmt = None if config.globals.log_format == "auto" else config.globals.log_format
    return Log(2, fmt=fmt, level=config.globals.log_level, fields=fields, later=later)
