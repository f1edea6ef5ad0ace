"""`X-PM-*`: what each field means, and what is wrong with some."""

import pytest

from angarium.core.options import NO_OPTIONS, Options
from angarium.mime.header import HeaderBlock, cut
from angarium.submission.replies import reply_to
from angarium.testing.dialects import read_options


def said(*lines: str) -> Options:
    found = read_options(HeaderBlock.scan("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"))
    assert found.problems == ()
    return found.options


def problem(*lines: str) -> str:
    """Return code and text of the only problem."""
    found = read_options(HeaderBlock.scan("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"))
    (only,) = found.problems
    assert only.dialect == "postmark"
    assert reply_to(only).code == 550
    return f"{only.reason.label}: {reply_to(only)}"


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("X-PM-Message-Stream: broadcast", Options(stream="broadcast")),
        ("x-pm-message-stream:outbound", Options(stream="outbound")),
        ("X-PM-Tag: welcome", Options(tags=("welcome",))),
        ("X-PM-Tag: two words\r\n folded", Options(tags=("two words folded",))),
        ("X-PM-Tag: =?utf-8?q?gr=C3=BCn?=", Options(tags=("grün",))),
        ("X-PM-Tag:", NO_OPTIONS),
        ("X-PM-Metadata-Color: blue", Options(metadata={"Color": "blue"})),
        ("X-PM-Metadata-client-id:", Options(metadata={"client-id": ""})),
        ("X-PM-Metadata-: ", NO_OPTIONS),
        ("X-PM-TrackOpens: true", Options(track_opens=True)),
        ("X-PM-Track-Opens: False", Options(track_opens=False)),
        ("X-PM-TrackLinks: None", Options(track_links="none")),
        ("X-PM-TrackLinks: HtmlAndText", Options(track_links="all")),
        ("X-PM-Track-Links: htmlonly", Options(track_links="html")),
        ("X-PM-TrackLinks: TextOnly", Options(track_links="text")),
        ("X-PM-KeepID: true", Options(keep_id=True)),
        ("X-PM-KeepID: false", Options(keep_id=False)),
        ("X-PM-Bounce-Type: HardBounce", Options(bounce_type="HardBounce")),
        ("X-PM-Something-New: 1", NO_OPTIONS),
        ("X-PM-: 1", NO_OPTIONS),
    ],
)
def test_one_field(line: str, options: Options) -> None:
    assert said(line) == options


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (b"Gr\xfc\xdfe", "Grüße"),  # Latin-1
        ("Grüße".encode(), "Grüße"),
        (b"\xc3\xbc\xff", "Ã¼ÿ"),
        (b"one\r\n two", "one two"),
        (b"one \r\n\t  two\r\n \r\n three", "one two three"),
        (b"=?utf-8?q?a?=\r\n =?utf-8?q?b?=\r\n c", "ab c"),
        (b" " * 50_000 + b"one", "one"),
    ],
)
def test_what_stands_in_a_value_is_what_was_meant(value: bytes, tag: str) -> None:
    found = read_options(
        HeaderBlock.scan(b"X-PM-Tag: " + value + b"\r\nx-smtpeter-tags: " + value + b"\r\n\r\n")
    )
    assert found.options.tags == (tag,)
    assert read_options(HeaderBlock.scan(b"x-smtpeter-tags: " + value + b"\r\n\r\n")).options.tags == (tag,)


def test_so_many_fields_are_not_read() -> None:
    found = read_options(HeaderBlock.scan(b"X-PM-Tag: a\r\n" * 100 + b"\r\n"))
    assert (found.options.tags, found.problems) == (("a",), ())
    text = b"X-PM-Tag: a\r\nx-smtpeter-tags: b\r\n" * 30_000 + b"\r\n"
    found = read_options(HeaderBlock.scan(text))
    assert [str(reply_to(problem)) for problem in found.problems] == [
        "550 5.6.0 the option fields X-PM-, x-smtpeter- and X-MSYS-API of a message may be 100 with 131072 bytes in "
        "all, not 60000 with 990000"
    ]
    assert cut(text, found.spans) == b"\r\n"


def test_several_fields_make_one_record() -> None:
    assert said("X-PM-Tag: a", "Subject: x", "X-PM-Metadata-a: 1", "X-PM-KeepID: true") == Options(
        tags=("a",), metadata={"a": "1"}, keep_id=True
    )


def test_of_a_repeated_field_the_first_counts() -> None:
    assert said("X-PM-Tag: first", "X-PM-Tag: second").tags == ("first",)


def test_a_repeated_key_of_metadata_gets_a_number() -> None:
    lines = ("X-PM-Metadata-Color: red", "X-PM-Metadata-color: blue", "X-PM-Metadata-COLOR: green")
    assert said(*lines).metadata == {"Color": "red", "color1": "blue", "COLOR2": "green"}


def test_a_number_that_is_taken_is_not_given_again() -> None:
    lines = ("X-PM-Metadata-a1: x", "X-PM-Metadata-a: y", "X-PM-Metadata-a: z")
    assert said(*lines).metadata == {"a1": "x", "a": "y", "a2": "z"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "X-PM-TrackOpens: maybe",
            "option_syntax: 550 5.6.0 X-PM-TrackOpens must be true or false, not 'maybe' (Postmark error 300)",
        ),
        (
            "X-PM-TrackLinks: all",
            "option_syntax: 550 5.6.0 X-PM-TrackLinks must be None, HtmlAndText, HtmlOnly or TextOnly, not 'all' "
            "(Postmark error 300)",
        ),
        (
            "X-PM-Tag: " + "t" * 1001,
            "option_limit: 550 5.6.0 X-PM-Tag may have 1000 characters, not 1001 (Postmark error 300)",
        ),
        (
            "X-PM-Message-Stream: " + "s" * 31,
            "option_limit: 550 5.6.0 X-PM-Message-Stream may have 30 characters, not 31 (Postmark error 300)",
        ),
        (
            "X-PM-Metadata-" + "k" * 21 + ": v",
            "metadata: 550 5.6.0 Invalid metadata content. Field names are limited to 20 characters; "
            "'kkkkkkkkkkkkkkkkkkkkk' has 21 (Postmark error 300)",
        ),
        (
            "X-PM-Metadata-k: " + "v" * 81,
            "metadata: 550 5.6.0 Invalid metadata content. Field values are limited to 80 characters; that of 'k' "
            "has 81 (Postmark error 300)",
        ),
        (
            "X-PM-Metadata-: v",
            "metadata: 550 5.6.0 Invalid metadata content. A name must follow X-PM-Metadata- (Postmark error 300)",
        ),
    ],
)
def test_what_cannot_be_obeyed(line: str, sentence: str) -> None:
    assert problem(line) == sentence


@pytest.mark.parametrize(
    "line",
    [
        "X-PM-Tag: " + "t" * 1000,
        "X-PM-Metadata-" + "k" * 20 + ": " + "v" * 80,
        "X-PM-Metadata-k: " + "ü" * 80,
    ],
)
def test_limits_include_their_end_and_count_characters(line: str) -> None:
    assert said(line) != NO_OPTIONS


def test_ten_keys_of_metadata_are_taken_and_eleven_are_not() -> None:
    lines = [f"X-PM-Metadata-k{n}: v" for n in range(11)]
    assert len(said(*lines[:10]).metadata or {}) == 10
    assert problem(*lines).startswith("metadata: 550 5.6.0 Invalid metadata content. There may be 10 ")


def test_the_good_fields_beside_a_bad_one_still_count() -> None:
    found = read_options(HeaderBlock.scan(b"X-PM-Tag: a\r\nX-PM-TrackOpens: maybe\r\n\r\n"))
    assert found.options == Options(tags=("a",))
    assert len(found.problems) == 1


def test_all_fields_of_the_prefix_are_taken_out_and_nothing_else() -> None:
    text = b"A: 1\r\nX-PM-Tag: a\r\n\tb\r\nX-PMX: stays\r\nx-Pm-Unknown : c\r\nB: X-PM-Tag: d\r\n\r\nX-PM-Tag: body\r\n"
    found = read_options(HeaderBlock.scan(text))
    assert cut(text, found.spans) == b"A: 1\r\nX-PMX: stays\r\nB: X-PM-Tag: d\r\n\r\nX-PM-Tag: body\r\n"
