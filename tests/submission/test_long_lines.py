"""Lines that hosts on the way may break are noted when mail comes in: they are mended where it is signed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from angarium.testing.intake import STRANGER, IntakeDesk, Taken, a_principal

HEADER = b"From: app@example.org\r\nDate: d\r\nMessage-ID: <i@example.org>\r\n"
SHORT = HEADER + b"\r\n" + b"x" * 998 + b"\r\nend\r\n"
LONG = HEADER + b"\r\n" + b"x" * 999 + b"\r\nend\r\n"


def take(folder: Path, text: bytes, **how: Any) -> Taken:
    async def story() -> Taken:
        return await IntakeDesk(folder).submit(text, **how)

    return asyncio.run(story())


@pytest.mark.parametrize("pieces", [1, 500, 5000])
def test_of_a_large_body_it_is_known_whether_there_are_any(tmp_path: Path, pieces: int) -> None:
    for who in ({"principal": a_principal()}, {}):
        long = take(tmp_path, LONG, pieces=pieces, **who)
        assert (long.message.mends_lines, long.sent) == (True, LONG)
        assert not take(tmp_path, SHORT, pieces=pieces, **who).message.mends_lines


def test_a_small_body_is_looked_at_where_it_is_signed(tmp_path: Path) -> None:
    for text in (LONG, SHORT):
        taken = take(tmp_path, text)
        assert (taken.message.mends_lines, taken.sent) == (True, text)


def test_a_line_that_is_taken_out_is_none(tmp_path: Path) -> None:
    text = b"X-PM-Tag: a " + b" " * 2000 + b"b\r\n" + SHORT
    assert not take(tmp_path, text, principal=a_principal(), pieces=500).message.mends_lines


@pytest.mark.parametrize("pieces", [None, 500])
def test_mail_of_others_is_not_touched(tmp_path: Path, pieces: int | None) -> None:
    assert not take(tmp_path, LONG, pieces=pieces, peer=STRANGER).message.mends_lines
    assert not take(tmp_path, LONG, pieces=pieces, rfc2822_max_line_length="ignore").message.mends_lines
