"""From new causes to rows of the ledger. Pure."""

from hashlib import blake2b
from typing import Any

from angarium.core.ids import MessageId
from angarium.sql.errors import Invalid
from angarium.suppressions.address import What, entry_of, what_of
from angarium.suppressions.records import NewCause

_LONGEST = {"scope": 60, "provider": 60, "run": 60, "reply": 1_000, "note": 1_000}

Row = dict[str, Any]


def row_of(new: NewCause, actor: str, now: float) -> Row:
    """Return the row of a cause that suppresses. Raises Invalid."""
    what = check(new)
    return {
        **{name: _one_line(name, getattr(new, name)) for name in new.__struct_fields__},
        "kind": what.kind,
        "what": what.text,
        "effect": "suppress",
        "made_at": now,
        "actor": actor[:200],
        "holds": True,
        "lifted_by": None,
        "undone_at": None,
        "undone_by": "",
        "entry": entry_of(new.account, new.scope, what.text),
        "once": _once(new, what.text),
    }


def check(new: NewCause) -> What:
    """Return what *new* is about, as it is compared. Raises Invalid for what cannot be written."""
    if new.expires_at is not None and new.expires_at <= new.at:
        raise Invalid("expires_at", "it expires before it begins; leave it out, or name a later time")
    return what_of(new.what)


def allowing(cause: NewCause, actor: str, now: float) -> Row:
    """Return the row of an entry that lifts what had happened up to `cause.at`. Raises Invalid."""
    return {**row_of(cause, actor, now), "effect": "allow", "holds": False, "once": None}


def _one_line(name: str, value: object) -> object:
    longest = _LONGEST.get(name)
    return " ".join(str(value).split())[:longest] if longest else value


def _once(new: NewCause, text: str) -> bytes | None:
    """Return what is the same however often it is told that a message to an address did this; None without one."""
    if new.message is None:
        return None
    told = [str(new.account or 0), new.scope, new.reason, text, new.sent_to.lower()]
    if new.run:
        told.append(new.run)
    return blake2b("\0".join(told).encode() + b"\0" + MessageId(new.message), digest_size=16).digest()
