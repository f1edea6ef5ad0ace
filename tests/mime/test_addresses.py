"""Mailbox lists: everything that is an address is found, nothing else is."""

import time
from email.utils import formataddr, getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.mime.addresses import FieldMailbox, ascii_domain, mailboxes, written
from angarium.mime.words import decode_words


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a@example.com", [("", "a@example.com", "example.com")]),
        ("<a@Example.COM>", [("", "a@Example.COM", "example.com")]),
        ("Ann Lee <ann@example.com>", [("Ann Lee", "ann@example.com", "example.com")]),
        ('"Lee, Ann" <ann@example.com>', [("Lee, Ann", "ann@example.com", "example.com")]),
        (r'"say \"hi\"" <a@example.com>', [('say "hi"', "a@example.com", "example.com")]),
        ("=?utf-8?q?J=C3=BCrgen?= <j@example.com>", [("Jürgen", "j@example.com", "example.com")]),
        (
            "a@example.com, B <b@example.org>",
            [("", "a@example.com", "example.com"), ("B", "b@example.org", "example.org")],
        ),
        # comments, nested and with parentheses escaped
        (r"a (x (y) \) <no@example.net>) @ example.com (z)", [("", "a@example.com", "example.com")]),
        ("(only a comment) <a@example.com>", [("", "a@example.com", "example.com")]),
        # quoted local parts
        ('"a b"@example.com', [("", '"a b"@example.com', "example.com")]),
        ('"a@b"@example.com', [("", '"a@b"@example.com', "example.com")]),
        # groups
        (
            "team: a@example.com, B <b@example.com>; c@example.com",
            [
                ("", "a@example.com", "example.com"),
                ("B", "b@example.com", "example.com"),
                ("", "c@example.com", "example.com"),
            ],
        ),
        ("undisclosed-recipients:;", []),
        # obsolete forms
        ("<@relay.example,@other.example:a@example.com>", [("", "a@example.com", "example.com")]),
        ("a . b @ example . com", [("", "a.b@example.com", "example.com")]),
        (",, a@example.com ,,", [("", "a@example.com", "example.com")]),
        # domains
        ("a@bücher.example", [("", "a@bücher.example", "xn--bcher-kva.example")]),
        ("a@xn--bcher-kva.example", [("", "a@xn--bcher-kva.example", "xn--bcher-kva.example")]),
        ("jürgen@example.com", [("", "jürgen@example.com", "example.com")]),
        ("a@[192.0.2.1]", [("", "a@[192.0.2.1]", "[192.0.2.1]")]),
        ("a@[IPv6:2001:db8::1]", [("", "a@[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]")]),
        ("a@example.com.", [("", "a@example.com.", "example.com")]),
        ("a@under_score.example", [("", "a@under_score.example", "under_score.example")]),
        # not quite right, and still plain enough
        ("Lee, Ann <ann@example.com>", [("Ann", "ann@example.com", "example.com")]),
        ("me@example.org <ann@example.com>", [("me @ example.org", "ann@example.com", "example.com")]),
        ("Ann <ann@example.com", [("", "ann@example.com", "example.com")]),
        ("[List] Ann <ann@example.com>", [("[List] Ann", "ann@example.com", "example.com")]),
        # a second address does not hide behind a first
        (
            "<a@example.com> <b@example.org>",
            [("", "a@example.com", "example.com"), ("", "b@example.org", "example.org")],
        ),
        # no address
        ("", []),
        ("nobody", []),
        ("a@", []),
        ("@example.com", []),
        ("a b@example.com", []),
        ("a@b@example.com", []),
        ("a@exa mple.com", []),
        ("a..b@example.com", []),
        ("a@-.example", []),
        ("a@" + "x" * 64 + ".example", []),
        ('"open@example.com', []),
    ],
)
def test_what_is_found(value: str, found: list[tuple[str, str, str]]) -> None:
    assert [tuple(mailbox) for mailbox in mailboxes(value)] == found


locals_ = st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,10}(\.[a-z0-9]{1,5})?", fullmatch=True)
domains = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?\.(example|test)", fullmatch=True)
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)


@given(st.lists(st.tuples(names, st.builds("{}@{}".format, locals_, domains)), max_size=4))
def test_plain_lists_read_as_the_standard_library_reads_them(pairs: list[tuple[str, str]]) -> None:
    value = ", ".join(formataddr(pair) for pair in pairs)
    assert [mailbox.address for mailbox in mailboxes(value)] == [
        address for _, address in getaddresses([value])
    ]


@given(st.text(max_size=60), st.builds("{}@{}".format, locals_, domains))
def test_what_is_written_is_read_back(name: str, address: str) -> None:
    field = written(name, address)
    (mailbox,) = mailboxes(field.replace("\r\n", ""))
    assert mailbox.address == address
    assert field.isascii()
    assert all(line.startswith(" ") and len(line) <= 78 + len(address) for line in field.split("\r\n")[1:])
    assert not {"\r", "\n"} & set(field.replace("\r\n ", ""))


def test_a_name_keeps_its_characters() -> None:
    for name in ("Ann Lee", "Lee, Ann", 'say "hi" \\ bye', "Jürgen Müller", "日本語" * 30, "=?x"):
        (mailbox,) = mailboxes(written(name, "a@example.com").replace("\r\n", ""))
        assert mailbox == FieldMailbox(name, "a@example.com", "example.com")


def test_a_name_cannot_add_a_field() -> None:
    assert written("x\r\nBcc: all@example.com", "a@example.com") == '"x Bcc: all@example.com" <a@example.com>'


pieces = st.lists(
    st.sampled_from(['"', "\\", "(", ")", "<", ">", "@", ",", ";", ":", "[", "]", "a", ".", " ", "ü"])
)


@given(pieces.map("".join) | st.text())
def test_no_text_is_too_odd(value: str) -> None:
    for mailbox in mailboxes(value):
        assert ascii_domain(mailbox.domain) == mailbox.domain
        assert mailbox.domain.isascii()


@pytest.mark.parametrize(
    "piece", ["(", "a", '"', "\\", "<", "a@b,", "[", "<a@b>", ". ", "=?a?q?", "=?utf-8?q?a?= "]
)
def test_a_huge_value_takes_time_in_proportion(piece: str) -> None:
    def seconds(size: int) -> float:
        value = piece * (size // len(piece))
        start = time.process_time()
        mailboxes(value)
        decode_words(value)
        return time.process_time() - start

    assert seconds(500_000) < 50 * max(seconds(50_000), 0.005)
