"""A log that a test reads."""

import os
import weakref
from typing import Any

import msgspec

from angarium.core.catalogue.logs import faults_of
from angarium.core.log import Level, Log


def kept_log(*, level: Level = "info") -> Log:
    """Return a log that is kept in memory, as long as it lives."""
    memory = os.memfd_create("log")
    log = Log(memory, fmt="json", level=level)
    weakref.finalize(log, os.close, memory)
    return log


def text_of(log: Log) -> str:
    """Return all that was logged, a line for each record."""
    return os.pread(log.fd, os.fstat(log.fd).st_size, 0).decode()


def records_of(log: Log) -> list[dict[str, Any]]:
    """Return the same as records. Raises AssertionError for one that is not as the catalogue says."""
    return [described(msgspec.json.decode(line)) for line in text_of(log).splitlines()]


def described(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of a log. Raises AssertionError when it is not as the catalogue says."""
    faults = list(faults_of(record))
    if faults:
        raise AssertionError("; ".join(faults))
    return record
