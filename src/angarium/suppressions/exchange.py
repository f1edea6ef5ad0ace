"""Suppressions as CSV: read line by line from what vendors export, and written. Pure.

The first line may name the columns, in any order and among others that are passed over. Without names the first column
is the address and nothing else is read.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from angarium.core.clock import rfc3339
from angarium.sql.errors import Invalid
from angarium.suppressions.records import (
    ALL_BROADCAST,
    ALL_TRANSACTIONAL,
    EVERYTHING,
    Cause,
    NewCause,
    Reason,
)
from angarium.suppressions.store.rows import check

COLUMNS: Final = ("address", "reason", "scope", "at", "expires_at", "note", "origin", "reply", "actor")
"""What is written."""
LONGEST_LINE: Final = 20_000

_ADDRESSES: Final = ("address", "email", "emailaddress", "recipient", "what")
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "address": _ADDRESSES,
    "reason": ("reason", "suppressionreason", "source"),
    "scope": ("scope", "type"),
    "at": ("at", "createdat", "created", "updated", "date"),
    "expires_at": ("expiresat", "expires", "until"),
    "note": ("note", "description"),
}
"""How vendors, and we, call the columns: in lower case, without blanks and underscores."""
_REASONS: Final[dict[str, Reason]] = {
    "hardbounce": "hard_bounce",
    "bouncerule": "hard_bounce",
    "bounce": "hard_bounce",
    "complaint": "complaint",
    "spamcomplaint": "complaint",
    "unsubscribe": "unsubscribe",
    "listunsubscribe": "unsubscribe",
    "unsubscribelink": "unsubscribe",
    "manual": "manual",
    "manualsuppression": "manual",
    "manuallyadded": "manual",
    "compliance": "manual",  # a vendor's; here it is the operator's alone
    "": "manual",
}
_SCOPES: Final = {
    "transactional": ALL_TRANSACTIONAL,
    "nontransactional": ALL_BROADCAST,
    "broadcast": ALL_BROADCAST,
    "": "",
}


class CsvLine(NamedTuple):
    """What a line of a file says, by its number: a cause, or what is wrong with it."""

    number: int
    cause: NewCause | None
    problem: str = ""


def read_lines(
    lines: Iterable[str], make: Callable[..., NewCause], now: float, scope: str = EVERYTHING
) -> Iterator[CsvLine]:
    """Yield what *lines* of CSV say. *make* is told `what`, `reason`, `scope`, `at`, `expires_at` and `note` of each,
    the scope being *scope* where a line has none.
    """
    reader = csv.reader(lines)
    columns: dict[str, int] | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield CsvLine(reader.line_num, None, str(error))
            continue
        if not any(row):
            continue
        if columns is None:
            columns = _columns(row)
            if columns:
                continue
        try:
            yield CsvLine(reader.line_num, _cause(row, columns, make, now, scope))
        except Invalid as error:
            yield CsvLine(reader.line_num, None, str(error))


def row_of_csv(cause: Cause) -> tuple[str, ...]:
    """Return a cause as a line that `read_lines` reads again, in the order of `COLUMNS`."""
    until = rfc3339(cause.expires_at) if cause.expires_at is not None else ""
    told = (cause.what, cause.reason, cause.scope, rfc3339(cause.at), until, cause.note)
    return (*told, cause.origin, cause.reply, cause.actor)


def _columns(row: list[str]) -> dict[str, int]:
    """Return where the columns are that *row* names; nothing where it names no address: it is a line like others."""
    said = [_plain(cell) for cell in row]
    found = {
        name: next(said.index(each) for each in names if each in said)
        for name, names in _NAMES.items()
        if any(each in said for each in names)
    }
    return found if "address" in found else {}


def _cause(
    row: list[str], columns: dict[str, int], make: Callable[..., NewCause], now: float, scope: str
) -> NewCause:
    def cell(name: str) -> str:
        at = columns.get(name, 0 if name == "address" and not columns else -1)
        return row[at].strip()[:LONGEST_LINE] if 0 <= at < len(row) else ""

    until = cell("expires_at")
    made = make(
        what=cell("address"),
        reason=_reason(cell("reason")),
        scope=_scope(cell("scope")) or scope,
        at=_moment("at", cell("at")) if cell("at") else now,
        expires_at=_moment("expires_at", until) if until else None,
        note=cell("note"),
    )
    check(made)
    return made


def _reason(said: str) -> Reason:
    reason = _REASONS.get(_plain(said))
    if reason is None:
        raise Invalid("reason", f"{said[:60]!r} is none; write hard_bounce, complaint, unsubscribe or manual")
    return reason


def _scope(said: str) -> str:
    if said in (EVERYTHING, ALL_BROADCAST, ALL_TRANSACTIONAL) or _is_stream(said):
        return said
    scope = _SCOPES.get(_plain(said))
    if scope is None:
        raise Invalid("scope", f"{said[:60]!r} is none; write *, */broadcast, */transactional or 7/news")
    return scope


def _is_stream(said: str) -> bool:
    server, slash, stream = said.partition("/")
    return bool(slash) and server.isdecimal() and bool(stream)


def _moment(field: str, said: str) -> float:
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        raise Invalid(field, f"{said[:60]!r} is no time; write 2026-11-30T12:00:00Z") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _plain(said: str) -> str:
    return "".join(said.lower().split()).replace("_", "").replace("-", "").lstrip("\ufeff")
