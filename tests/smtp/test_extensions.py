"""What a peer offers, in the spellings of the field."""

import pytest

from angarium.core.reply import reply_from_lines
from angarium.smtp.extensions import NO_EXTENSIONS, Extensions, parse_extensions


def offered(*lines: str, discarded: tuple[str, ...] = ()) -> Extensions:
    return parse_extensions(reply_from_lines(250, ["peer.example Hello", *lines]), discarded)


@pytest.mark.parametrize(
    "lines",
    [
        ("AUTH LOGIN PLAIN",),
        ("AUTH=LOGIN PLAIN",),
        ("auth = login plain",),
        ("AUTH\tLOGIN\tPLAIN",),
        ("AUTH LOGIN", "AUTH PLAIN"),
        ("AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN"),
        ("  AUTH  LOGIN  PLAIN  ",),
        ("AUTH LOGIN,PLAIN",),
    ],
    ids=str,
)
def test_mechanisms_in_any_spelling(lines: tuple[str, ...]) -> None:
    assert offered(*lines).auth == ("LOGIN", "PLAIN")


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("SIZE 1000", 1000),
        ("SIZE=1000", 1000),
        ("size\t1000 ", 1000),
        ("SIZE", 0),
        ("SIZE ", 0),
        ("SIZE unlimited", 0),
        ("SIZE -1", 0),
        ("SIZE 1000 bytes", 1000),
        ("SIZES 1000", None),
    ],
)
def test_size_in_any_spelling(line: str, size: int | None) -> None:
    assert offered(line).size == size


def test_keywords_in_any_case_and_limits() -> None:
    found = offered("pipelining", "8BitMime", "Chunking", "limits rcptmax=5 MAILMAX=0 MAILMAX=9", "")
    assert (found.pipelining, found.eight_bit_mime, found.chunking) == (True, True, True)
    assert (found.rcpt_max, found.mail_max) == (5, 9)


def test_the_first_line_offers_nothing() -> None:
    assert parse_extensions(reply_from_lines(250, ["PIPELINING"])) == NO_EXTENSIONS


def test_what_is_discarded_counts_as_not_offered() -> None:
    lines = ("PIPELINING", "chunking", "AUTH=PLAIN", "SIZE 5")
    assert offered(*lines, discarded=("CHUNKING", "AUTH")) == Extensions(pipelining=True, size=5)
