"""Encoded words (RFC 2047)."""

import base64
import email.header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.mime.words import decode_list, decode_words, encode_words


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?gr=C3=BCn?=", "grün"),
        ("=?UTF-8?B?Z3LDvG4=?=", "grün"),
        ("=?utf-8?B?Z3LDvG4?=", "grün"),  # padding forgotten
        ("=?iso-8859-1?q?gr=FCn_und_rot?=", "grün und rot"),
        ("=?windows-1252?Q?=80?=", "€"),
        ("=?utf-8*de?q?gr=C3=BCn?=", "grün"),  # RFC 2231 §5: language
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
        ("=?utf-8?b?w4M=?= =?iso-8859-1?q?=FC?=", "Ãü"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),  # a character split between two words
        # cannot be read, and stays
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?no-such?q?a?=", "=?no-such?q?a?="),
        ("=?punycode?q?a-b?=", "=?punycode?q?a-b?="),
        ("=?utf-7?Q?+2D0-?=", "=?utf-7?Q?+2D0-?="),  # says a lone surrogate, which no other charset can write
        ("=?utf-8?b?*?=", "=?utf-8?b?*?="),
        ("=?", "=?"),
    ],
)
def test_what_words_say(written: str, read: str) -> None:
    assert decode_words(written) == read


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_encoding_and_decoding_is_nothing(text: str) -> None:
    encoded = encode_words(text)
    assert decode_words(encoded) == text
    assert all(len(word.strip()) <= 75 for word in encoded.split("\r\n"))
    # the standard library reads them too; like us it leaves out the blanks between words
    header = email.header.make_header(email.header.decode_header(encoded.replace("\r\n", "")))
    assert str(header) == text


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    decode_words(text.replace("a", "=?utf-8?").replace("b", "?=").replace("c", "?q?"))


CHARSETS = (
    *(
        "utf-8",
        "utf-7",
        "utf8",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "utf-32",
        "ascii",
        "us-ascii",
        "iso-8859-1",
    ),
    *(
        "iso8859-15",
        "windows-1252",
        "cp437",
        "cp932",
        "cp65001",
        "ibm850",
        "koi8-r",
        "gb2312",
        "gbk",
        "gb18030",
    ),
    *("big5", "big5-hkscs", "shift_jis", "euc-jp", "euc-kr", "iso-2022-jp", "iso-2022-jp-2", "iso-2022-kr"),
    *("mac-roman", "utf-8-sig", "unicode_escape", "raw_unicode_escape", "utf-16-surrogatepass"),
)


@given(
    st.sampled_from(CHARSETS),
    st.binary() | st.sampled_from([b"+2D0-", b"\xed\xa0\x80", b"\xd8\x3d", b"\x3d\xd8"]),
)
def test_what_words_say_can_be_encoded_again(charset: str, text: bytes) -> None:
    decode_words(f"=?{charset}?b?{base64.b64encode(text).decode()}?=").encode()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b ,,c,", ["a", "b", "c"]),
        ("=?utf-8?q?a=2Cb?=,c", ["a,b", "c"]),
        ("=?utf-8?q?a,b?= c,d", ["a,b c", "d"]),
        ("=?utf-8?q?a,b", ["=?utf-8?q?a", "b"]),
    ],
)
def test_lists_are_taken_apart_before_words_are_read(written: str, read: list[str]) -> None:
    assert decode_list(written) == read
