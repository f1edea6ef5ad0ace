"""What of an event is in no column comes back as it was, whatever it shares with others."""

from collections.abc import Hashable
from typing import Any, get_args

import msgspec
import pytest

from angarium.core.records import Attempt, Stage, TlsFacts
from angarium.core.reply import Reply
from angarium.events.sqlite.detail import pack_event, pack_fact, unpacked
from angarium.testing.happenings import event, fact, reception

FACTS = TlsFacts(
    version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", verified="host", names=("mx.test",), not_after=2e9
)
FULL = Attempt(
    started_at=1_796_000_000.25,
    stage="final",
    session="1a2b",
    host="mx.example.com",
    peer="198.51.100.7:25",
    source="[2001:db8::1]:40112",
    method="LMTP",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
    timings=(("connect", 12.5), ("final", 1_004.3)),
    bytes_sent=10_300,
    dsn_passed=True,
    tls_facts=msgspec.structs.replace(FACTS, resumed=True),
    dialogue=("C: MAIL FROM:<>", "S: 250 ok"),
)


class Shelf:
    """Gives numbers to values that it has met before, and the values back as a database would."""

    def __init__(self) -> None:
        self.met: list[Hashable] = []
        self.values: list[Hashable] = []

    def share(self, value: Hashable) -> Hashable:
        if value not in self.met:
            self.met.append(value)
            return value
        if value not in self.values:
            self.values.append(value)
        return self.values.index(value)

    def value(self, number: int) -> Any:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(self.values[number]))


def as_shown(attempt: Attempt) -> dict[str, Any]:
    return dict(msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(by_name(attempt)))))


def by_name(attempt: Attempt) -> dict[str, Any]:
    facts = attempt.tls_facts
    return {
        **msgspec.structs.asdict(attempt),
        "tls_facts": None if facts is None else msgspec.structs.asdict(facts),
    }


@pytest.mark.parametrize(
    "attempt",
    [
        FULL,
        msgspec.structs.replace(FULL, tls_facts=FACTS, dsn_passed=False),
        msgspec.structs.replace(FULL, tls_facts=None, tls="", source="", timings=()),
        msgspec.structs.replace(FULL, source="a socket without a port"),
        Attempt(started_at=1_796_000_000.0, stage="route"),
    ],
)
def test_an_attempt_comes_back_in_all_its_fields(attempt: Attempt) -> None:
    shelf = Shelf()
    told = event(reception(1), "delivered", "delivered", attempt=attempt, reply=Reply(250, "", "ok"))
    for _ in ("in full", "by numbers"):
        shown = unpacked(pack_event(told, shelf.share), told.at, shelf.value)
        assert msgspec.json.decode(msgspec.json.encode(shown["attempt"])) == as_shown(attempt)
        assert shown["attempts"] == 1


def test_a_resumed_session_shares_what_was_negotiated_with_the_first() -> None:
    shelf = Shelf()
    for facts in (FACTS, msgspec.structs.replace(FACTS, resumed=True), FACTS):
        attempt = msgspec.structs.replace(FULL, tls_facts=facts, source=f"192.0.2.1:{len(shelf.met) + 2000}")
        packed = pack_event(event(reception(1), "delivered", "delivered", attempt=attempt), shelf.share)
    assert len(shelf.values) == 3  # the connection, the local address, and which stages were timed
    assert b"mx.example.com" not in packed


def test_when_it_is_tried_next_counts_from_the_event() -> None:
    told = event(reception(1), "delayed", "queued")
    shown = unpacked(pack_event(told, Shelf().share), told.at, Shelf().value)
    assert shown["due_at"] == pytest.approx(told.due_at, abs=0.001)


def test_a_fact_comes_back_and_its_long_texts_are_shared() -> None:
    shelf = Shelf()
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0)"
    told = fact("click", reception(1), address="192.0.2.1", agent=agent, url="https://a.test/")
    first, then = pack_fact(told, shelf.share), pack_fact(told, shelf.share)
    for packed in (first, then):
        assert unpacked(packed, told.at, shelf.value) == told.fields
    assert agent.encode() in first
    assert agent.encode() not in then


def test_a_fact_of_a_newer_program_keeps_its_name() -> None:
    told = fact("foretold", reception(1), x=1)
    assert unpacked(pack_fact(told, Shelf().share), told.at, Shelf().value) == {"kind": "foretold", "x": 1}


def test_stages_are_stored_by_their_place() -> None:
    assert get_args(Stage)[:12] == (
        "route", "connect", "banner", "tls", "ehlo", "auth", "mail", "rcpt", "data", "body", "final", "idle"
    )  # fmt: skip
