"""A fault of ours between the end of data and the answer: the peer hears 451, nothing is left, and the drain ends."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.identity.limits import Limits
from angarium.identity.records import Account
from angarium.testing.intake import IntakeDesk, a_principal
from angarium.testing.programs import PATIENCE_S

ROOMS = ("/mime/", "/dialects/", "/submission/intake/")
SESSION = {"_take_in", "_spill_piece", "_submit", "origin", "_refuses_end", "current", "_give_back"}
SPOOL = {"enter", "enter_all", "write", "finish"}
ANSWERS = {"answer", "_answered", "_entered", "answered", "settled", "_fail", "_discard", "settle"}
"""Who is called to say or undo something: called for the first fault, and not to be hindered by a second."""
STARTS = {"_enter_counted", "submit", "spill", "_run", "finish"}
"""Where calls begin whose inside is guarded."""

TEXT = (
    b"From a@example.org Mon\r\nFrom: A <a@example.org>\r\nCc: c@example.com\r\nBcc: x@example.com\r\nDate:\r\n"
    b"X-PM-Tag: =?utf-8?q?gr=C3=BCn?=\r\nx-smtpeter-tags: a,b\r\n%bthe text begins here\r\n"
    + b"and goes on\r\n"
    * 7_000
)
COPIES = b'X-MSYS-API: {"cc": ["d@example.com"], "bcc": ["e@example.com", "f@example.com"]}\r\n'
OPEN = "Auth_Without_TLS = true\n"


class Unforeseen(Exception):
    """What nobody foresaw."""


@dataclass
class FaultAt:
    """Raises in the *number*th call in the rooms that take mail in. *places* are the calls that were seen."""

    number: int
    places: list[str] = field(default_factory=list)

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and _counts(frame.f_code.co_filename, frame.f_code.co_name):
            self.places.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
            if len(self.places) == self.number:
                raise Unforeseen(self.places[-1])


def _counts(path: str, name: str) -> bool:
    if path.endswith(("/submission/session/mail.py", "/submission/session/login.py")):
        return name in SESSION
    if path.endswith("/testing/intake.py"):
        return name in SPOOL
    return any(room in path for room in ROOMS) and name not in ANSWERS | STARTS


@contextmanager
def profiled(profile: Callable[[FrameType, str, object], None]) -> Iterator[None]:
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


async def said_with_a_fault(
    door: Any, folder: Path, text: bytes, threshold: int, number: int
) -> tuple[FaultAt, str]:
    """Hand in *text* in a session; return what was called, and the answer. Whatever it is, nothing may be left."""
    house = door(OPEN)
    limited = a_principal("api_key", account=Account(7, "acme", 0.0, limits=Limits(daily_quota=9)))
    house.directory.users["ann"] = ("secret", limited)
    desk = IntakeDesk(folder, usage=house.usage)
    house.reception.intake = desk.intake
    config = (
        f'Hostname = mx.test\nLarge_Message_Threshold = {threshold}\nESMTP_Listener "default" {{ {OPEN} }}'
    )
    house.reception.reconfigure(parse_config(config, "angarium.conf"), set())
    talk = await house.session().helo()
    await talk.all_of(
        "AUTH PLAIN AGFubgBzZWNyZXQ=", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA"
    )
    assert house.usage.taken == 1
    fault = FaultAt(number)
    with profiled(fault):
        answer = await talk.say(text + b".")
        await desk.intake.settled()
    if answer.startswith("250"):
        assert desk.entered
    else:
        place = fault.places[-1]
        assert answer.startswith(("451 4.3.0", "421 4.3.0")), place
        assert not desk.entered, place
        assert desk.files == set(), place
        assert house.usage.taken == 0, place
        assert [record for record in desk.log + house.log if record["event"] == "bug"], place
        assert (await talk.say("NOOP")).startswith("250") or answer.startswith("421"), place
    return fault, answer


@pytest.mark.slow
@pytest.mark.parametrize("copies", [b"", COPIES], ids=["alone", "with copies"])
@pytest.mark.parametrize("threshold", [1_000_000, 65_536], ids=["small", "large"])
def test_whatever_step_fails_the_message_is_answered_and_leaves_nothing(
    door: Any, tmp_path: Path, threshold: int, copies: bytes
) -> None:
    async def story(number: int) -> tuple[FaultAt, str]:
        async with asyncio.timeout(PATIENCE_S):
            return await said_with_a_fault(door, tmp_path, TEXT % copies, threshold, number)

    clean, answer = asyncio.run(story(0))
    assert answer.startswith("250")
    assert (len(list(tmp_path.glob("*.body"))) > 0) == (threshold < len(TEXT))
    for path in tmp_path.glob("*.body"):
        path.unlink()
    for number in _first_and_last(clean.places):
        fault, answer = asyncio.run(story(number))
        is_durable = fault.places[-1].endswith("/notes.py:received")
        assert answer.startswith("250" if is_durable else "451"), fault.places[-1]
        for path in tmp_path.glob("*.body"):
            path.unlink()


def _first_and_last(places: list[str]) -> list[int]:
    """Return the numbers, from 1, of the first and the last call of each place."""
    first = {place: number for number, place in reversed(list(enumerate(places, 1)))}
    last = {place: number for number, place in enumerate(places, 1)}
    assert len(first) > 30
    return sorted({*first.values(), *last.values()})


def test_a_message_that_no_charset_but_one_can_say_is_answered(door: Any, tmp_path: Path) -> None:
    text = b"X-PM-Tag: =?utf-7?Q?+2D0-?=\r\nFrom: A <a@example.org>\r\n\r\ntext\r\n"

    async def story(body: bytes) -> str:
        async with asyncio.timeout(PATIENCE_S):
            return (await said_with_a_fault(door, tmp_path, body, 65_536, 0))[1]

    assert asyncio.run(story(text)).startswith("250")
    assert asyncio.run(story(text + b"x\r\n" * 30_000)).startswith("250")


def test_a_session_that_meets_a_fault_in_a_command_is_told_so(door: Any) -> None:
    async def story() -> None:
        house = door('Relay_Hosts = ( "198.51.100.0/24" )')
        talk = await house.session().helo()
        house.reception.intake.refuses = property()  # no reply at all

        answer = await talk.say("MAIL FROM:<a@example.org>")
        assert answer == "421 4.3.0 a fault of this server ended the session; connect again"
        assert talk.wire.is_closed
        (record,) = house.events("bug")
        assert record["session"]

    asyncio.run(story())
