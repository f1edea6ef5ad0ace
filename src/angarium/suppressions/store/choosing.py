"""From a selection of causes to conditions of SQL."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, false, or_, select

from angarium.sql.rows import record_of
from angarium.suppressions.address import entries_of, what_of
from angarium.suppressions.records import Cause, CauseFilter
from angarium.suppressions.store.schema import causes

_KEY = causes.c
_SAME = ("effect", "event", "message", "bounce_class", "provider", "run")
_AMONG = {"ids": _KEY.id, "scopes": _KEY.scope, "reasons": _KEY.reason, "origins": _KEY.origin}


def conditions(selection: CauseFilter) -> list[ColumnElement[bool]]:
    """Return what all causes of *selection* have. Raises Invalid for what is no address."""
    return list(_conditions(selection))


def _conditions(selection: CauseFilter) -> Iterator[ColumnElement[bool]]:
    for name in _SAME:
        if (value := getattr(selection, name)) is not None:
            yield _KEY[name] == value
    for name, column in _AMONG.items():
        if (values := getattr(selection, name)) is not None:
            yield column.in_(values)
    if selection.accounts is not None:
        yield _of_accounts(selection.accounts)
    if selection.what is not None:
        yield from is_of(what_of(selection.what).text)
    if selection.domain is not None:
        yield _KEY.what.endswith("@" + selection.domain.lower(), autoescape=True)
    if selection.text is not None:
        yield _KEY.what.contains(selection.text.lower(), autoescape=True)
    if selection.since is not None:
        yield _KEY.made_at >= selection.since
    if selection.until is not None:
        yield _KEY.made_at < selection.until
    if selection.undone is not None:
        yield _KEY.undone_at.is_not(None) if selection.undone else _KEY.undone_at.is_(None)
    if selection.standing_at is not None:
        yield from standing(selection.standing_at)


def is_of(text: str) -> tuple[ColumnElement[bool], ...]:
    """Return what the causes of one thing have, which is in the form that is compared."""
    return _KEY.entry.between(*entries_of(text)), _KEY.what == text


def standing(now: float) -> tuple[ColumnElement[bool], ...]:
    """Return what causes have that suppress at *now*."""
    return _KEY.holds, or_(_KEY.expires_at.is_(None), _KEY.expires_at > now)


def standing_in(connection: Connection, text: str, account: int, now: float) -> list[Cause]:
    """Return what suppresses *text*, in the form that is compared, at *now* for mail of *account*, the oldest first."""
    mine = or_(_KEY.account == account, _KEY.account.is_(None))
    query = select(causes).where(*is_of(text), mine, *standing(now)).order_by(_KEY.id)
    return [record_of(row, Cause) for row in connection.execute(query).mappings()]


def _of_accounts(accounts: Sequence[int | None]) -> ColumnElement[bool]:
    numbers = [account for account in accounts if account is not None]
    found: list[Any] = [_KEY.account.in_(numbers)] if numbers else []
    if None in accounts:
        found.append(_KEY.account.is_(None))
    return or_(*found) if found else false()
