"""Encoded words (RFC 2047)."""

import email.header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.mime.words import decode_words, encode_words


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
