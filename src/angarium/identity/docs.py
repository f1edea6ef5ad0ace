"""Writes docs/identity-fields.md from the records: `python -m angarium.identity.docs > docs/identity-fields.md`."""

import sys
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

import msgspec

from angarium.core.options import Options
from angarium.identity.fields import DescribedField, When, fields_of
from angarium.identity.limits import Limits, Rate
from angarium.identity.records import Account, Person, Server, Stream

_HEAD = """# Accounts, servers, streams and people

What there is to say of each, by the names of [the manage API](manage-api.md). The options of
[the commands](identity-cli.md) have the same names, with `-` for `_`. This page is made from the records; do not edit
it.

*Said* tells when a field can be set: as the thing is made (new), or later (change). The others are the node's.
"""

_SECTIONS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("Accounts", Account),
    ("Servers", Server),
    ("Streams", Stream),
    ("People", Person),
    ("Limits", Limits),
)

_KINDS: dict[object, str] = {
    bool: "true or false",
    int: "number",
    str: "text",
    float: "time",
    Rate: "`count` and `seconds`",
    Limits: "[limits](#limits)",
    Options: "[message options](message-options.md)",
}


def fields_page() -> str:
    """Return the text of docs/identity-fields.md."""
    return "\n".join([_HEAD, *(section(title, record) for title, record in _SECTIONS)])


def section(title: str, record: type[msgspec.Struct]) -> str:
    """Return the section of the page on the fields of a *record*."""
    return "\n".join([f"## {title}\n", "| field | is | said | |", "|---|---|---|---|", *_rows(record)]) + "\n"


def _rows(record: type[msgspec.Struct]) -> Iterator[str]:
    for field in fields_of(record).values():
        said = ", ".join(when for when in get_args(When) if field.about.can_be_said(when))
        said = "new" if field.about.owner else said
        yield f"| `{field.name}` | {_kind(field)} | {said} | {field.about.help}{_without(field)} |"


def _kind(field: DescribedField) -> str:
    if get_origin(field.kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(field.kind))
    return _KINDS[field.kind]


def _without(field: DescribedField) -> str:
    names = ", ".join(f"`{name}`" for name in field.about.without)
    return f" Not {names}." if names else ""


if __name__ == "__main__":
    sys.stdout.write(fields_page())
