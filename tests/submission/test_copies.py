"""Copies by `X-MSYS-API`: cc, bcc and archive."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from angarium.core.errors import AngariumError
from angarium.core.records import Message
from angarium.identity.limits import Limits
from angarium.identity.principal import Principal
from angarium.identity.records import Account
from angarium.identity.usage.buckets import ALLOWED, Allowed, Bucket, Exceeded
from angarium.testing.intake import NOW, IntakeDesk, Taken, a_principal
from angarium.testing.programs import PATIENCE_S

FROM = b"From: app@example.org\r\nTo: to@example.net\r\nDate: d\r\nMessage-ID: <i@example.org>\r\n"
BODY = b"Subject: hi\r\n\r\nhello\r\n"
API_KEY = a_principal("api_key")
LIMITED = a_principal("api_key", account=Account(7, "acme", NOW, limits=Limits(daily_quota=10)))


def wishes(**value: Any) -> bytes:
    return b"X-MSYS-API: " + json.dumps(value).encode() + b"\r\n"


def take(folder: Path, text: bytes, **how: Any) -> Taken:
    async def story() -> Taken:
        return await IntakeDesk(folder).submit(text, **{"principal": API_KEY, **how})

    return asyncio.run(story())


def who(message: Message) -> list[tuple[str, str]]:
    return [(path.address, path.role) for path in message.recipients]


def test_cc_and_archive_get_the_message_and_bcc_one_of_its_own(tmp_path: Path) -> None:
    text = FROM + wishes(
        cc=["c@example.com"], bcc=["b1@example.com", "b2@example.com"], archive=["a@example.com"]
    )
    taken = take(tmp_path, text + BODY)
    assert [who(message) for message, _ in taken.entered] == [
        [("to@example.net", ""), ("c@example.com", "cc"), ("a@example.com", "archive")],
        [("b1@example.com", "bcc")],
        [("b2@example.com", "bcc")],
    ]
    cc = b"Cc: c@example.com\r\n"
    assert taken.texts == [
        cc + FROM + BODY,
        cc + b"Bcc: b1@example.com\r\n" + FROM + BODY,
        cc + b"Bcc: b2@example.com\r\n" + FROM + BODY,
    ]


def test_they_are_one_submission_and_the_answer_names_the_first(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + wishes(bcc=["b@example.com"]) + BODY)
    first, second = (message for message, _ in taken.entered)
    assert (first.submission, second.submission) == (b"", first.id)
    assert first.id != second.id
    assert str(taken.reply) == f"250 2.0.0 queued as {first.id.hex()}"
    assert (second.account, second.server, second.options) == (7, 3, first.options)


def test_each_copys_received_field_has_its_own_id_and_names_only_its_recipient(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + wishes(bcc=["b@example.com"]) + BODY)
    first, second = (message for message, _ in taken.entered)
    assert f"id {second.id.hex()}\r\n\tfor <b@example.com>".encode() in second.trace
    assert b"b@example.com" not in first.trace


def test_a_message_id_that_was_missing_is_the_same_in_all(tmp_path: Path) -> None:
    text = b"From: app@example.org\r\n" + wishes(bcc=["b@example.com"]) + BODY
    first, second = take(tmp_path, text).texts
    assert first == second.replace(b"Bcc: b@example.com\r\n", b"")


@pytest.mark.parametrize(
    ("said", "recipients"),
    [
        ({"cc": ["to@EXAMPLE.net", "c@example.com", "c@example.com"]}, [["to@example.net", "c@example.com"]]),
        ({"cc": ["c@example.com"], "bcc": ["c@example.com"]}, [["to@example.net", "c@example.com"]]),
        ({"bcc": ["b@example.com"], "archive": ["b@example.com"]}, [["to@example.net"], ["b@example.com"]]),
        ({"bcc": ["to@example.net"]}, [["to@example.net"]]),
        (
            {"cc": ["Case@example.com", "case@example.com"]},
            [["to@example.net", "Case@example.com", "case@example.com"]],
        ),
    ],
)
def test_each_address_gets_one_copy(
    tmp_path: Path, said: dict[str, Any], recipients: list[list[str]]
) -> None:
    taken = take(tmp_path, FROM + wishes(**said) + BODY)
    assert [[path.address for path in message.recipients] for message, _ in taken.entered] == recipients


def test_names_stand_in_the_fields(tmp_path: Path) -> None:
    said = wishes(
        cc=[{"email": "c@example.com", "name": "Cee, Jay"}], bcc=[{"email": "b@example.com", "name": "Bü"}]
    )
    first, second = take(tmp_path, FROM + said + BODY).texts
    assert first.startswith(b'Cc: "Cee, Jay" <c@example.com>\r\n')
    assert b"Bcc: =?utf-8?b?QsO8?= <b@example.com>\r\n" in second
    assert second.isascii()


@pytest.mark.parametrize(
    ("there", "cc", "becomes"),
    [
        # all of them stand there already: byte for byte as it was
        (b"CC : c@example.com (the boss)\r\n", ["c@example.com"], b""),
        (b"Cc: C <c@example.com>,\r\n d@example.com\r\n", ["d@EXAMPLE.com"], b""),
        # somebody is missing
        (b"CC: C <c@example.com>\r\n", ["d@example.com"], b"Cc: C <c@example.com>,\r\n\td@example.com\r\n"),
        (b"", ["c@example.com", "d@example.com"], b"Cc: c@example.com,\r\n\td@example.com\r\n"),
    ],
)
def test_cc_shows_them_all_once(tmp_path: Path, there: bytes, cc: list[str], becomes: bytes) -> None:
    taken = take(tmp_path, FROM + there + wishes(cc=cc) + BODY)
    assert taken.texts == [becomes + FROM + (b"" if becomes else there) + BODY]


def test_a_relay_host_may_have_copies_too_and_its_bcc_is_hidden_then(tmp_path: Path) -> None:
    text = FROM + b"Bcc: b@example.com\r\n" + wishes(bcc=["b@example.com"]) + BODY
    first, second = take(tmp_path, text, principal=None).texts
    assert first == FROM + BODY
    assert second == b"Bcc: b@example.com\r\n" + FROM + BODY


def test_a_message_and_its_copies_share_one_content_and_of_a_large_one_the_file(tmp_path: Path) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path)
        text = FROM + wishes(bcc=["b1@example.com", "b2@example.com"]) + BODY + b"x\r\n" * 1000
        taken = await desk.submit(text, principal=API_KEY, pieces=100)
        first = taken.entered[0][0]
        assert len(taken.entered) == 3
        assert {body for _, body in taken.entered} == {FROM + BODY + b"x\r\n" * 1000}
        assert {message.content for message, _ in taken.entered} == {first.id}
        assert desk.files == {first.id.hex() + ".body"}

    asyncio.run(story())


@pytest.mark.parametrize("taken_in", [0, 1, 2])
def test_unless_there_is_room_for_all_none_is_taken_and_the_answer_is_temporary(
    tmp_path: Path, taken_in: int
) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path, full_after=taken_in)
        taken = await desk.submit(
            FROM + wishes(bcc=["b1@example.com", "b2@example.com"]) + BODY, principal=API_KEY
        )
        assert (taken.reply.code, taken.entered) == (451, [])
        await asyncio.wait_for(desk.intake.settled(), PATIENCE_S)

    asyncio.run(story())


def test_copies_count_towards_the_limit_of_recipients(tmp_path: Path) -> None:
    principal = a_principal("api_key", limits=Limits(max_recipients=3))
    text = FROM + wishes(cc=["c@example.com"], bcc=["b@example.com"]) + BODY
    assert take(tmp_path, text, principal=principal).reply.code == 250
    reply = take(tmp_path, text, principal=principal, recipients=("x@example.net", "y@example.net")).reply
    assert str(reply) == "550 5.5.3 a message of this account may have 3 recipients, not 4; split it"


@pytest.mark.parametrize("role", ["cc", "bcc", "archive"])
@pytest.mark.parametrize("address", ["c@[192.0.2.1]", "c@192.0.2.1"])
def test_a_login_names_no_address_as_a_domain_for_a_copy_either(
    tmp_path: Path, role: str, address: str
) -> None:
    taken = take(tmp_path, FROM + wishes(**{role: ["fine@example.com", address]}) + BODY)
    assert taken.reply.code == 550
    assert taken.entered == []


def test_copies_that_the_spool_cannot_hold_are_refused_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path, "Spool_Max_Journal_Size = 268435456")
        text = FROM + wishes(bcc=[f"b{n}@example.com" for n in range(1000)]) + BODY + b"x" * 70_000 + b"\r\n"
        taken = await desk.submit(text, principal=API_KEY)
        assert (taken.reply.code, taken.reply.enhanced, taken.entered) == (552, "5.3.4", [])

    asyncio.run(story())


def test_a_thousand_copies_are_taken_and_others_have_their_turn_meanwhile(tmp_path: Path) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path)
        said = wishes(bcc=[f"b{n}@example.com" for n in range(1000)])
        many = asyncio.ensure_future(desk.submit(FROM + said + BODY, principal=API_KEY))
        turns = 0
        while not many.done():
            await asyncio.sleep(0)
            turns += 1
        assert (await many).reply.code == 250
        assert len(desk.entered) == 1001
        assert turns > 20

    asyncio.run(story())


class Counting:
    """A quota that counts, and knows one answer."""

    def __init__(self, answer: Allowed | Exceeded | AngariumError) -> None:
        self.answer = answer
        self.taken: list[int] = []

    def take_now(self, principal: Principal, count: int, now: float) -> None:
        """It has to be asked."""

    async def take(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded:
        self.taken.append(count)
        if isinstance(self.answer, AngariumError):
            raise self.answer
        return self.answer

    def give_back(self, principal: Principal, count: int, since: float) -> None:
        self.taken.append(-count)


def charge(
    folder: Path, answer: Allowed | Exceeded | AngariumError, text: bytes, **how: Any
) -> tuple[Taken, list[int]]:
    async def story() -> tuple[Taken, list[int]]:
        quota = Counting(answer)
        return await IntakeDesk(folder, usage=quota).submit(text, principal=LIMITED, **how), quota.taken

    return asyncio.run(story())


def test_copies_count_towards_the_quota_and_recipients_of_the_envelope_not_again(tmp_path: Path) -> None:
    text = FROM + wishes(cc=["c@example.com"], bcc=["b@example.com"], archive=["to@example.net"]) + BODY
    taken, counted = charge(tmp_path, ALLOWED, text)
    assert (taken.reply.code, counted) == (250, [2])
    assert charge(tmp_path, ALLOWED, FROM + BODY)[1] == []


def test_recipients_that_no_door_has_counted_are_counted_with_the_copies(tmp_path: Path) -> None:
    text = FROM + wishes(bcc=["b@example.com"]) + BODY
    assert charge(tmp_path, ALLOWED, text, is_counted=False)[1] == [2]
    taken, counted = charge(tmp_path, ALLOWED, FROM + BODY, is_counted=False)
    assert (taken.reply.code, counted) == (250, [1])


def test_over_the_quota_nothing_is_taken(tmp_path: Path) -> None:
    full = Exceeded(Bucket("account:7", 86_400, 10, "account acme"), 1, NOW + 60)
    taken, _ = charge(tmp_path, full, FROM + wishes(bcc=["b@example.com"]) + BODY)
    assert (taken.reply.code, taken.reply.enhanced, taken.entered) == (450, "4.7.1", [])


def test_what_was_counted_is_given_back_when_nothing_could_be_kept(tmp_path: Path) -> None:
    async def story() -> None:
        quota = Counting(ALLOWED)
        desk = IntakeDesk(tmp_path, usage=quota, full_after=0)
        await desk.submit(FROM + wishes(bcc=["b@example.com"]) + BODY, principal=LIMITED)
        assert quota.taken == [1, -1]

    asyncio.run(story())


def test_when_it_cannot_be_counted_nothing_is_taken(tmp_path: Path) -> None:
    taken, _ = charge(
        tmp_path, AngariumError("the store is away"), FROM + wishes(bcc=["b@example.com"]) + BODY
    )
    assert str(taken.reply) == "451 4.3.0 the recipients could not be counted; try again in a moment"
    assert taken.entered == []


def test_of_a_message_that_is_taken_only_to_fail_no_copies_are_made(tmp_path: Path) -> None:
    text = FROM + wishes(bcc=["b@example.com"]) + b"X-PM-TrackOpens: maybe\r\n" + BODY
    taken = take(tmp_path, text)
    assert taken.message.refusal is not None
    assert who(taken.message) == [("to@example.net", "")]
