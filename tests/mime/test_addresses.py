"""Mailbox lists: everything that is an address is found, nothing else is."""

import email.policy
import re
import time
from collections.abc import Callable
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import formataddr, getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.mime.addresses import FieldMailbox, ascii_domain, mailboxes, reads_alike
from angarium.mime.words import decode_words, written


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


@pytest.mark.slow
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


# -- what everybody reads alike


@pytest.mark.parametrize(
    "value",
    [
        "a@ours.test",
        "<a@ours.test>",
        "Ann <a@ours.test>",
        "a@ours.test <a@ours.test>",
        "Ann\t Lee  <a@ours.test> ",
        "Dr. Ann O'Brien, Ph.D. <a@ours.test>",
        '"Lee, Ann" <a@ours.test>',
        r'"Ann \"the boss\" Lee" <a@ours.test>',
        '"b@bank.test" <a@ours.test>',
        "a@ours.test (Ann Lee)",
        "Ann (work) <a@ours.test> (x)",
        '"a b"@ours.test',
        "Jürgen <jürgen@bücher.test>",
        "=?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <j@ours.test>",
        "=?utf-8?q?M=C3=BCller=2C_J=C3=BCrgen_=28x=29?= <j@ours.test>",
        "a@ours.test, Ann <b@ours.test>",
        "Team: a@ours.test, B <b@ours.test>;",
        "Team: a@ours.test;, c@ours.test",
        ", a@ours.test ,",
    ],
)
def test_plain_fields_are_read_alike(value: str) -> None:
    assert reads_alike(value)


@pytest.mark.parametrize(
    "value",
    [
        # an @ in a name
        "boss@bank.test <a@ours.test>",
        "boss @ bank.test <a@ours.test>",
        '"boss@bank.test" x@bank.test <a@ours.test>',
        '"boss@bank.test <boss@bank.test>" <a@ours.test>',
        '"boss@bank.test, x" <a@ours.test>',
        '"boss@bank.test", <a@ours.test>',
        '"boss@bank.test"',
        r'"\" <boss@bank.test>, \"" <a@ours.test>',
        "a@ours.test (boss@bank.test)",
        "(<boss@bank.test>) a@ours.test",
        '(") "boss@bank.test, " <a@ours.test>',
        # source routes and what looks like one
        "<@bank.test:a@ours.test>",
        "<boss@bank.test:a@ours.test>",
        "<@relay.test,boss@bank.test:a@ours.test>",
        # encoded words
        "=?utf-8?q?boss=40bank.test?= <a@ours.test>",
        "=?utf-8?q?boss=40bank.test=2C?= <a@ours.test>",
        '"=?utf-8?q?boss=40bank.test?=" <a@ours.test>',
        "=?utf-8?q?boss=40bank.test?=@ours.test",
        "<=?utf-8?q?boss?=@ours.test>",
        "=?utf-8?q?x=0D=0AFrom:_boss?= <a@ours.test>",
        "=?utf-7?q?boss+AEA-bank.test?= <a@ours.test>",
        "=?no-such?q?boss?= <a@ours.test>",
        "=?utf-8?q?boss=40bank.test x?= <a@ours.test>",
        # blanks and controls
        "boss@bank.test\u2028, a@ours.test",
        "a@ours.test\u2028",
        "a@ours.test\x0b",
        "boss@bank.test\0 <a@ours.test>",
        "a@ours\u00a0.test",
        "a@\u200bours.test",
        "a @ours.test",
        "< a@ours.test>",
        # addresses
        '"boss@bank.test"@ours.test',
        "a@b@ours.test",
        "a..b@ours.test",
        "a@ours.test.",
        "a@ours(x).test",
        "a@[192.0.2.1]",
        "a@stra\u00dfe.test",  # IDNA 2003 reads another domain
        # lists
        "<a@ours.test> <b@ours.test>",
        "<a@ours.test> b",
        "a@ours.test; b@ours.test",
        "Team: a@ours.test",
        "boss@bank.test: a@ours.test;",
        '"boss@bank.test: x": a@ours.test;',
        "<a@ours.test",
        '"a@ours.test',
        "(a@ours.test",
        "[x] <a@ours.test>",
    ],
)
def test_what_somebody_may_read_otherwise_is_not(value: str) -> None:
    assert not reads_alike(value)


def _parsed(value: str) -> list[str] | None:
    field = b"From: " + value.encode() + b"\r\n\r\n"
    try:
        found = message_from_bytes(field, policy=email.policy.default)["from"].addresses
    except (IndexError, AttributeError, TypeError):  # a fault of the library: nobody reads anything
        return None
    return [each.addr_spec.encode("utf-8", "surrogateescape").decode() for each in found]


_WORD = re.compile(r"=\?[^?]+\?[bq]\?[^?]*\?=", re.I)


def _decoded(word: re.Match[str]) -> str:
    return str(make_header(decode_header(word[0])))


READERS: dict[str, Callable[[str], list[str] | None]] = {
    "email.utils": lambda value: [address for _, address in getaddresses([value])],
    "email.headerregistry": _parsed,
    "one that decodes first": lambda value: [
        address for _, address in getaddresses([_WORD.sub(_decoded, value)])
    ],
}

field_texts = st.lists(
    st.sampled_from(
        [
            *(
                "a@ours.test",
                "<a@ours.test>",
                "boss@bank.test",
                "<boss@bank.test>",
                "bank.test",
                "ours.test",
                "@",
            ),
            *(
                '"',
                "\\",
                '\\"',
                "(",
                ")",
                "<",
                ">",
                ",",
                ";",
                ":",
                "[",
                "]",
                ".",
                " ",
                "\t",
                "\u2028",
                "\xa0",
            ),
            *(
                "=?utf-8?q?boss=40bank.test?=",
                "=?utf-8?q?=2C?=",
                "=?utf-8?b?YQ==?=",
                "ü",
                "\u00df",
                "Ann",
                "x",
            ),
        ]
    ),
    max_size=9,
).map("".join)


@given(field_texts)
@settings(max_examples=500)
def test_readers_agree_over_whose_what_reads_alike_is(value: str) -> None:
    if not reads_alike(value):
        return
    ours = {mailbox.domain for mailbox in mailboxes(value)}
    for name, read in READERS.items():
        found = read(value)
        if found is not None:
            addresses = [address for address in found if "@" in address]
            assert {ascii_domain(address.rpartition("@")[2]) for address in addresses} == ours, name


@pytest.mark.parametrize(
    "piece", ["(", "a", '"', "\\", "<", "a@b,", "[", "x:", ". ", "=?a?q?", '"a" ', "(a) "]
)
def test_seeing_so_takes_time_in_proportion(piece: str) -> None:
    def seconds(size: int) -> float:
        value = piece * (size // len(piece))
        start = time.process_time()
        reads_alike(value)
        return time.process_time() - start

    assert seconds(200_000) < 50 * max(seconds(20_000), 0.005)
