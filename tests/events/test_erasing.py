"""What was asked to be erased is erased, however often whoever does it is stopped."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.events.bodies.port import TextToKeep, body_of
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import KEPT_DAYS, Eraser, Erasure, ErasureFolder, TooManyErasures
from angarium.events.port import EventStoreError, ReceivedMail, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.nodes import Everything
from angarium.testing.happenings import DAY_S, START, reception

BOB = "bob@example.com"
MAILING = MessageId(b"a mailing's text")


class StoppedStore(SqliteEventStore):
    """Ends in the middle, each second time."""

    calls = 0

    def erase(self, day: str, address: str, account: int | None = None) -> int:
        self.calls += 1
        if self.calls % 2:
            raise EventStoreError("stopped")
        return super().erase(day, address, account)


class Ground:
    """A store of events and one of texts, and who erases in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = StoppedStore(folder / "events")
        self.texts = BodyStore(folder / "texts")
        self.told: list[tuple[int, int, int]] = []
        self.silent = False

    @property
    def requests(self) -> ErasureFolder:
        return ErasureFolder(self.folder / "erasures")

    def take(self, mail: ReceivedMail) -> Message:
        self.events.take([mail])
        text = TextToKeep(mail.message, body_of(mail.message), "2030-01-01", b"what it says")
        self.texts.take([text])
        return mail.message

    def ask(self, **fields: object) -> int:
        return self.requests.ask(Erasure(**{"address": BOB, "asked_at": START, "mark": "a1", **fields}))  # type: ignore[arg-type]

    def work(self, times: int, now: float = START) -> list[Erasure]:
        """Go on so many times, each by another process."""
        return [
            each
            for _ in range(times)
            for _, each in Eraser(self.requests, self.events, self.texts, self.tell).work(now)
        ]

    def tell(self, number: int, erasure: Erasure) -> None:
        if self.silent:
            raise AngariumError("the identity store does not answer")
        self.told.append((number, erasure.found, erasure.texts))

    def has_text(self, message: Message) -> bool:
        kept = self.texts.read(message.id)
        return kept is not None and b"".join(kept.pieces) != b""

    @property
    def addresses(self) -> list[str]:
        return sorted(mail.address for mail in self.events.search(Everything(), Whose(), limit=100).found)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    yield made
    made.events.close()
    made.texts.close()


def test_a_request_is_done_a_day_at_a_time_and_goes_on_where_it_was(ground: Ground) -> None:
    for day in range(4):
        ground.take(reception(day, START + day * DAY_S, to=(BOB, f"ann{day}@example.com")))
    number = ground.ask()
    assert [bool(each.problem) for each in ground.work(9)] == [True, False] * 4 + [False]
    ended = ground.requests.read(number)
    assert ended == Erasure(
        address="",
        asked_at=START,
        mark="a1",
        done=sorted(ground.events.sizes(), reverse=True),
        days=4,
        found=4,
        ended_at=START,
    )
    assert ground.addresses == ["", "", "", "", *(f"ann{day}@example.com" for day in range(4))]
    assert ground.told == [(number, 4, 0)]
    assert b"bob" not in b"".join(path.read_bytes() for path in (ground.folder / "erasures").iterdir())


def test_the_text_of_a_mail_to_her_alone_goes_and_what_others_share_stays(ground: Ground) -> None:
    alone = ground.take(reception(1, to=(BOB,)))
    both = ground.take(reception(2, to=(BOB, "ann@example.com")))
    twice = ground.take(reception(3, to=(BOB, "BOB@example.com")))
    hers, anns = (
        ground.take(mail._replace(message=msgspec.structs.replace(mail.message, content=MAILING)))
        for mail in (reception(4, to=(BOB,)), reception(5, to=("ann@example.com",)))
    )
    number = ground.ask()
    ground.work(4)
    assert [ground.has_text(each) for each in (alone, both, twice, hers, anns)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    assert ground.told == [(number, 5, 3)]


def test_a_text_goes_though_whoever_erases_is_stopped_before_the_rest_is(ground: Ground) -> None:
    alone = ground.take(reception(1, to=(BOB,)))
    ground.ask()
    (stopped,) = ground.work(1)
    assert (stopped.problem, ground.has_text(alone), ground.addresses) == ("stopped", False, [BOB])
    ground.work(2)
    assert ground.addresses == [""]


def test_of_one_account_the_mail_of_others_stays(ground: Ground) -> None:
    ground.take(reception(1, to=(BOB,), account=1))
    theirs = ground.take(reception(2, to=(BOB,), account=2))
    ground.ask(account=1)
    ground.work(4)
    assert ground.addresses == ["", BOB]
    assert ground.has_text(theirs)


def test_an_end_that_the_audit_log_could_not_be_told_comes_when_it_can(ground: Ground) -> None:
    ground.silent = True
    number = ground.ask()
    assert [each.problem for each in ground.work(2)] == ["the identity store does not answer"] * 2
    ground.silent = False
    assert ground.work(1)[0].ended_at == START
    assert ground.told == [(number, 0, 0)]


def test_numbers_grow_and_what_has_ended_is_told_for_long(ground: Ground) -> None:
    first, second = ground.ask(), ground.ask()
    ground.work(2)
    later = START + KEPT_DAYS * DAY_S
    ground.work(1, later)
    assert ground.requests.all() == [second, first] == [2, 1]
    ground.work(1, later + 1)
    assert ground.requests.all() == [2]
    assert ground.ask() == 3
    assert ground.requests.waiting() == [3]


def test_no_more_wait_than_can_be_looked_through(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("angarium.events.erasing.MOST_WAITING", 2)
    ground.ask(), ground.ask()
    with pytest.raises(TooManyErasures, match="ask again"):
        ground.ask()
