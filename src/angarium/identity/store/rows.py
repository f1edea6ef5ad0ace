"""From rows of the store to values."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from angarium.core.options import Options
from angarium.identity.records import Account, Credential, Limits, Person, Server, Stream

S = TypeVar("S", bound=msgspec.Struct)

Row = Mapping[Any, Any]


def account_of(row: Row) -> Account:
    """Read a row of `accounts`."""
    return _record(row, Account)


def server_of(row: Row) -> Server:
    """Read a row of `servers`."""
    return _record(row, Server)


def stream_of(row: Row) -> Stream:
    """Read a row of `streams`."""
    return _record(row, Stream)


def person_of(row: Row) -> Person:
    """Read a row of `people`; its password stays behind."""
    return _record(row, Person)


def credential_of(row: Row) -> Credential:
    """Read a row of `credentials`; what belongs to its secret stays behind."""
    return _record(row, Credential)


def options_of(said: Mapping[str, Any]) -> Options:
    """Read options as they are stored: by name, only what is said."""
    return msgspec.convert([said.get(name) for name in Options.__struct_fields__], Options)


def _record(row: Row, kind: type[S]) -> S:
    values = {name: row[name] for name in kind.__struct_fields__ if name in row and row[name] is not None}
    if "options" in values:
        values["options"] = options_of(values["options"])
    if "limits" in values:
        values["limits"] = msgspec.convert(values["limits"], Limits)
    for name in ("grants", "networks"):
        if name in values:
            values[name] = tuple(values[name])
    return kind(**values)
