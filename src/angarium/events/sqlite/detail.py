"""What of an event or a fact is in no column, in few bytes.

Most of an attempt is the same as in a thousand others: host, peer, what TLS negotiated, which stages were timed. That
stands once in the file (`SharedValues`), and so do long texts of facts, as a browser's name.
"""

from collections.abc import Callable
from typing import Any, get_args

import msgspec

from angarium.core.records import Attempt, Event, Fact, Stage, TlsFacts
from angarium.events.catalogue import KINDS
from angarium.events.rows import due_of

_SHARED_FROM = 24
"""Characters from which a text of a fact is likely to be said again, and worth a row of its own."""
_OWN = frozenset({"reply", "address"})
"""What is different each time, however long."""
_MARK = "@"
_STAGES: tuple[Stage, ...] = get_args(Stage)
"""By the number that each is stored as: only ever appended to."""
_NUMBERS = {stage: number for number, stage in enumerate(_STAGES)}
_PER_MS = 10

Share = Callable[[Any], Any]
"""Returns the number that a value has, or the value itself."""
Value = Callable[[int], Any]
"""Returns the value that has a number."""


class PackedAttempt(msgspec.Struct, array_like=True, kw_only=True):
    """An attempt without what it shares with others: *common* are host, peer, method and what TLS negotiated, or their
    number; likewise *address*, the local one, and *timed*, the stages that *timings* (tenths of milliseconds) are of.
    Durable as `PackedDetail` is.

    *began_ms* counts back from the event, *stage* is a place in `_STAGES`, *port* the local one, 0 for none. *flags*: 1
    where the peer took over the wish for reports, 2 where the TLS session was resumed.
    """

    common: Any
    address: str | int
    stage: int
    began_ms: int
    session: str
    port: int
    timed: Any
    timings: list[int]
    bytes_sent: int
    flags: int = 0


class PackedDetail(msgspec.Struct, array_like=True, kw_only=True, omit_defaults=True):
    """What of an event or a fact is in no column. Durable: fields may only be appended, each with a default.

    *due_ms* counts from the event, None where nothing is due."""

    attempts: int = 0
    due_ms: int | None = None
    note: str = ""
    attempt: PackedAttempt | None = None
    fields: dict[str, Any] | None = None
    dialogue: tuple[str, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PackedDetail).decode


def pack_event(event: Event, share: Share) -> bytes:
    """Return the detail of an event."""
    due = None if due_of(event) is None else round((event.due_at - event.at) * 1000)
    attempt = None if event.attempt is None else _packed(event.attempt, event.at, share)
    dialogue = () if event.attempt is None else event.attempt.dialogue
    return _encode(
        PackedDetail(attempts=event.attempts, due_ms=due, note=event.note, attempt=attempt, dialogue=dialogue)
    )


def pack_fact(fact: Fact, share: Share) -> bytes:
    """Return the detail of a fact."""
    fields: dict[str, Any] = {"kind": fact.kind} if fact.kind not in KINDS else {}
    for name, value in fact.fields.items():
        if isinstance(value, str) and len(value) >= _SHARED_FROM and name not in _OWN:
            shared = share(value)
            fields[name if shared is value else _MARK + name] = shared
        else:
            fields[name] = value
    return _encode(PackedDetail(fields=fields))


def unpacked(data: bytes, at: float, value: Value) -> dict[str, Any]:
    """Return what a detail says, by name, without what it does not say. *at* is when the event was."""
    detail = _decode(data)
    said: dict[str, Any] = {"attempts": detail.attempts, "note": detail.note}
    if detail.due_ms is not None:
        said["due_at"] = at + detail.due_ms / 1000
    if detail.attempt is not None:
        said["attempt"] = _attempt(detail.attempt, at, value)
        said["attempt"]["dialogue"] = list(detail.dialogue)
    fields = {
        name.removeprefix(_MARK): value(each) if name.startswith(_MARK) else each
        for name, each in (detail.fields or {}).items()
    }
    return {**{name: each for name, each in said.items() if each}, **fields}


def _packed(attempt: Attempt, at: float, share: Share) -> PackedAttempt:
    address, _, port = attempt.source.rpartition(":")
    if not port.isdecimal():
        address, port = attempt.source, "0"
    facts = attempt.tls_facts
    if facts is not None and facts.resumed:
        facts = msgspec.structs.replace(facts, resumed=False)
    timings = attempt.timings
    return PackedAttempt(
        common=share((attempt.host, attempt.peer, attempt.method, attempt.tls, facts)),
        address=share(address),
        stage=_NUMBERS[attempt.stage],
        began_ms=round((at - attempt.started_at) * 1000),
        session=attempt.session,
        port=int(port),
        timed=share(tuple([stage for stage, _ in timings])),
        timings=[round(spent_ms * _PER_MS) for _, spent_ms in timings],
        bytes_sent=attempt.bytes_sent,
        flags=attempt.dsn_passed | (attempt.tls_facts is not facts) << 1,
    )


def _attempt(packed: PackedAttempt, at: float, value: Value) -> dict[str, Any]:
    host, peer, method, tls, facts = _whole(packed.common, value)
    address, timed = _whole(packed.address, value), _whole(packed.timed, value)
    if facts is not None:
        facts = {
            **msgspec.structs.asdict(msgspec.convert(facts, TlsFacts)),
            "resumed": bool(packed.flags & 2),
        }
    timings = zip(timed, (spent / _PER_MS for spent in packed.timings), strict=True)
    return {
        "started_at": at - packed.began_ms / 1000,
        "stage": _STAGES[packed.stage],
        "session": packed.session,
        "host": host,
        "peer": peer,
        "source": f"{address}:{packed.port}" if packed.port else address,
        "method": method,
        "tls": tls,
        "timings": [list(timing) for timing in timings],
        "bytes_sent": packed.bytes_sent,
        "dsn_passed": bool(packed.flags & 1),
        "tls_facts": facts,
    }


def _whole(shared: Any, value: Value) -> Any:
    return value(shared) if isinstance(shared, int) else shared
