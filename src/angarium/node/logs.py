"""Logs of the node's processes."""

from typing import Any

from angarium.config.model import Config
from angarium.core.log import Log


def make_log(config: Config, **fields: Any) -> Log:
    """Make the log that the configuration asks for, on standard error."""
    fmt = config.globals.log_format
    return Log(2, fmt=None if fmt == "auto" else fmt, level=config.globals.log_level, fields=fields)
