"""Requests with a key are carried out once, whatever door, worker and crash: `Idempotency-Key`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from angarium.core.records import KeyedAnswer
from angarium.core.submission import Problem, Reason
from angarium.identity.principal import Principal
from angarium.submission.keys.claim import LIFETIME_S, KeyClaim, claim_of, key_problem, until_of
from angarium.submission.keys.database import KeyDatabase, KeysUnknown
from angarium.submission.keys.keys import RequestKeys
from angarium.testing.intake import NOW, IntakeDesk, Taken, a_principal
from angarium.testing.log import kept_log

T = TypeVar("T")
ONE = KeyClaim(b"1" * 32, b"a" * 32)
OTHER = ONE._replace(digest=b"b" * 32)
RUNNING, DIFFERS = Problem(Reason.KEY_RUNNING), Problem(Reason.KEY_DIFFERS)
TEXT = b"From: a@example.org\r\nSubject: x\r\nIdempotency-Key: order-7\r\n\r\nhello\r\n"


class Clock:
    """Implements core.clock.Clock by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> float:
        return self.at


def answer_to(claim: KeyClaim, until: float = NOW + LIFETIME_S) -> KeyedAnswer:
    return KeyedAnswer(
        key=claim.key, digest=claim.digest, status=202, media_type="a/b", body=b"{}", until=until
    )


def worker(folder: Path, partition: str = "p0", run: bytes = b"1") -> KeyDatabase:
    return KeyDatabase(folder, partition, run)


def test_a_key_is_claimed_once_and_then_answered_the_same(tmp_path: Path) -> None:
    one, two = worker(tmp_path), worker(tmp_path, "p1")
    assert one.change([], [ONE, ONE], NOW) == [None, RUNNING]
    assert two.change([], [ONE, OTHER], NOW) == [RUNNING, DIFFERS]
    one.keep([answer_to(ONE)], NOW)
    assert two.change([], [ONE, OTHER], NOW) == [answer_to(ONE), DIFFERS]


def test_what_is_freed_is_anybodys(tmp_path: Path) -> None:
    one, two = worker(tmp_path), worker(tmp_path, "p1", b"2")
    assert one.change([], [ONE], NOW) == [None]
    assert two.change([ONE.key], [ONE], NOW) == [RUNNING], "who has not claimed it cannot free it"
    assert one.change([ONE.key], [], NOW) == []
    assert two.change([], [OTHER], NOW) == [None]


def test_an_answer_is_not_freed(tmp_path: Path) -> None:
    one = worker(tmp_path)
    one.change([], [ONE], NOW)
    one.keep([answer_to(ONE)], NOW)
    assert one.change([ONE.key], [ONE], NOW) == [answer_to(ONE)]


def test_an_answer_counts_for_a_day(tmp_path: Path) -> None:
    one = worker(tmp_path)
    one.keep([answer_to(ONE)], NOW)
    assert one.forget(NOW + LIFETIME_S - 1) == 0
    assert one.change([], [OTHER], NOW + LIFETIME_S - 1) == [DIFFERS]
    assert one.change([], [OTHER], NOW + LIFETIME_S) == [None]
    one.keep([answer_to(KeyClaim(b"2" * 32, b""))], NOW)
    assert one.forget(NOW + 3 * LIFETIME_S) == 2


def test_an_old_answer_in_a_journal_does_not_replace_a_new_one(tmp_path: Path) -> None:
    one = worker(tmp_path)
    new = answer_to(OTHER, NOW + 2 * LIFETIME_S)
    one.keep([new], NOW)
    one.keep([answer_to(ONE)], NOW + 1)
    one.keep([answer_to(ONE, NOW)], NOW + 1)
    assert one.change([], [OTHER], NOW + 1) == [new]


def test_of_a_worker_that_died_answers_are_kept_and_claims_are_freed(tmp_path: Path) -> None:
    second = KeyClaim(b"2" * 32, b"c" * 32)
    died, other = worker(tmp_path), worker(tmp_path, "p1", b"9")
    assert died.change([], [ONE, second], NOW) == [None, None]
    third = KeyClaim(b"3" * 32, b"d" * 32)
    other.change([], [third], NOW)
    again = worker(tmp_path, run=b"2")
    again.keep([answer_to(ONE)], NOW)  # which its journal had
    again.free_left(["p0"])
    assert other.change([], [ONE, second, third], NOW) == [answer_to(ONE), None, RUNNING]


def test_a_file_that_is_none_is_said_to_be_silent(tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_bytes(b"no database" * 1000)
    with pytest.raises(KeysUnknown, match=r"keys\.db does not answer"):
        worker(tmp_path).change([], [ONE], NOW)


@pytest.mark.parametrize("text", ["", " a", "a ", "é", "x" * 256, "a\tb"])
def test_what_is_no_key(text: str) -> None:
    problem = key_problem(text)
    assert problem is not None
    assert problem.reason is Reason.KEY_SYNTAX


def test_a_key_is_its_senders() -> None:
    def claim(principal: Principal) -> bytes:
        return claim_of(principal, "k", [b"x"]).key

    assert claim(a_principal()) == claim(a_principal("api_key"))
    assert claim(a_principal()) != claim(a_principal(account=a_principal().account.__class__(8, "b", NOW)))
    assert claim_of(a_principal(), "k", [b"a", b"b"]) == claim_of(a_principal(), "k", [b"ab"])


def test_an_answer_counts_from_the_time_at_which_the_last_message_leaves() -> None:
    assert until_of(NOW, [None, NOW - 5]) == NOW + LIFETIME_S
    assert until_of(NOW, [NOW + 50, None, NOW + 90]) == NOW + 90 + LIFETIME_S


# -- in the loop of a worker


def with_keys(folder: Path, story: Callable[[RequestKeys], Awaitable[T]], **of: Any) -> T:
    async def run() -> T:
        keys = RequestKeys(worker(folder, **of), Clock(), kept_log())
        await keys.start(["p0"])
        try:
            return await story(keys)
        finally:
            await keys.close()

    return asyncio.run(run())


def test_of_many_who_claim_at_once_one_gets_it_and_the_others_its_answer(tmp_path: Path) -> None:
    async def story(keys: RequestKeys) -> list[Any]:
        claims = [asyncio.ensure_future(keys.claim(ONE)) for _ in range(20)]
        (first,), _ = await asyncio.wait(claims, return_when=asyncio.FIRST_COMPLETED)
        assert first.result() is None
        kept = asyncio.Event()
        keys.keep(answer_to(ONE), kept.set)
        await kept.wait()
        return await asyncio.gather(*claims)

    found = with_keys(tmp_path, story)
    assert found.count(None) == 1
    assert found.count(answer_to(ONE)) == 19


def test_what_is_not_answered_yet_is_put_off(tmp_path: Path) -> None:
    async def story(keys: RequestKeys) -> Any:
        await keys.claim(ONE)
        return await keys.claim(ONE)

    assert with_keys(tmp_path, story) == RUNNING


def test_what_is_freed_can_be_claimed_at_once(tmp_path: Path) -> None:
    async def story(keys: RequestKeys) -> list[Any]:
        await keys.claim(ONE)
        await keys.free(ONE.key)
        return [await keys.claim(OTHER)]

    assert with_keys(tmp_path, story) == [None]


def test_while_the_file_is_silent_claims_are_put_off_and_answers_stay_in_the_journal(tmp_path: Path) -> None:
    place = tmp_path / "keys.db"

    async def story(keys: RequestKeys) -> None:
        kept: list[bool] = []
        place.mkdir()
        keys.keep(answer_to(ONE), lambda: kept.append(True))
        assert await keys.claim(OTHER) == Problem(Reason.KEYS_UNKNOWN)
        await keys.free(ONE.key)
        assert kept == []
        place.rmdir()
        assert await keys.claim(KeyClaim(b"2" * 32, b"")) is None
        done = asyncio.Event()
        keys.keep(answer_to(KeyClaim(b"3" * 32, b"")), done.set)
        await done.wait()
        assert kept == [True]
        assert await keys.claim(ONE) == answer_to(ONE)

    async def run() -> None:
        keys = RequestKeys(worker(tmp_path), Clock(), kept_log())
        await story(keys)
        await keys.close()

    asyncio.run(run())


# -- mail that comes by SMTP


def by_smtp(folder: Path, *texts: bytes, **how: Any) -> list[Taken]:
    async def story(keys: RequestKeys) -> list[Taken]:
        desk = IntakeDesk(folder, keys=keys, full_after=how.pop("full_after", None))
        principal = how.pop("principal", a_principal())
        return [await desk.submit(text, principal=principal, **how) for text in texts]

    return with_keys(folder, story)


@pytest.mark.parametrize("pieces", [None, 20])
def test_a_mail_that_comes_twice_is_taken_once_and_answered_the_same(
    tmp_path: Path, pieces: int | None
) -> None:
    first, second = by_smtp(tmp_path, TEXT, TEXT, pieces=pieces)
    assert first.reply.code == 250
    assert second.reply == first.reply
    assert second.entered == []
    assert b"Idempotency-Key" not in first.sent


def test_a_mail_with_the_key_of_another_is_refused(tmp_path: Path) -> None:
    _, other = by_smtp(tmp_path, TEXT, TEXT + b"more\r\n")
    assert (other.reply.code, other.receipt.problems[0].reason) == (554, Reason.KEY_DIFFERS)


def test_options_belong_to_what_is_asked(tmp_path: Path) -> None:
    _, other = by_smtp(tmp_path, TEXT, b"X-PM-Tag: a\r\n" + TEXT, pieces=20)
    assert other.receipt.problems[0].reason is Reason.KEY_DIFFERS


def test_what_is_refused_can_be_sent_again_with_its_key(tmp_path: Path) -> None:
    wrong = TEXT.replace(b"From: a@example.org\r\n", b"")
    first, second = by_smtp(tmp_path, wrong, TEXT)
    assert (first.reply.code // 100, second.reply.code) == (5, 250)


def test_what_could_not_be_stored_can_be_sent_again_with_its_key(tmp_path: Path) -> None:
    first, second = by_smtp(tmp_path, TEXT, TEXT + b"more\r\n", full_after=0)
    assert (first.receipt.problems[0].reason, second.receipt.problems[0].reason) == (
        Reason.STORAGE,
        Reason.STORAGE,
    )


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (taken,) = by_smtp(tmp_path, TEXT.replace(b"order-7", b"x" * 300))
    assert taken.receipt.problems[0].reason is Reason.KEY_SYNTAX


def test_who_has_not_logged_in_has_no_keys(tmp_path: Path) -> None:
    first, second = by_smtp(tmp_path, TEXT, TEXT, principal=None)
    assert first.receipt.messages != second.receipt.messages
