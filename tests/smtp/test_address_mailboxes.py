"""Mailboxes and domains: what SMTP allows, and what becomes of it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.smtp.address import (
    AddressError,
    Mailbox,
    domain_to_ascii,
    literal_address,
    parse_mailbox,
    parse_path,
)


@pytest.mark.parametrize(
    ("text", "address", "domain"),
    [
        ("bob@example.net", "bob@example.net", "example.net"),
        ("Bob.Jones+tag@Mail.EXAMPLE.Net", "Bob.Jones+tag@Mail.EXAMPLE.Net", "mail.example.net"),
        ("root@localhost", "root@localhost", "localhost"),
        ("!#$%&'*+/=?^_`{|}~-@a--b.example", "!#$%&'*+/=?^_`{|}~-@a--b.example", "a--b.example"),
        ('"bob"@example.net', "bob@example.net", "example.net"),
        (r'"\b\o\b"@example.net', "bob@example.net", "example.net"),
        ('"bob jones"@example.net', '"bob jones"@example.net', "example.net"),
        (r'"a\"b\\c\d"@example.net', r'"a\"b\\cd"@example.net', "example.net"),
        ('"a@b>"@example.net', '"a@b>"@example.net', "example.net"),
        ('""@example.net', '""@example.net', "example.net"),
        ('".bob"@example.net', '".bob"@example.net', "example.net"),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]", "[192.0.2.1]"),
        ("bob@[ipv6:2001:DB8:0:0:0:0:0:1]", "bob@[ipv6:2001:DB8:0:0:0:0:0:1]", "[IPv6:2001:db8::1]"),
        ("bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("b" * 64 + "@example.net", "b" * 64 + "@example.net", "example.net"),
        ("b@" + "d" * 63 + ".example", "b@" + "d" * 63 + ".example", "d" * 63 + ".example"),
    ],
)
def test_an_allowed_mailbox(text: str, address: str, domain: str) -> None:
    assert parse_mailbox(text) == Mailbox(address, domain)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("jörg@example.org", "example.org"),
        ("用户@例え.jp", "xn--r8jz45g.jp"),
        ("bob@BÜCHER.example", "xn--bcher-kva.example"),
        ("bob@bu\u0308cher.example", "xn--bcher-kva.example"),
        ('"jörg b"@bücher.example', "xn--bcher-kva.example"),
    ],
)
def test_characters_beyond_ascii_need_smtputf8(text: str, domain: str) -> None:
    assert parse_mailbox(text, smtputf8=True) == Mailbox(text, domain)
    with pytest.raises(AddressError) as refused:
        parse_mailbox(text)
    assert refused.value.needs_smtputf8


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob",
        "@example.net",
        "bob@",
        "bob@@example.net",
        "a@b@example.net",
        "bob jones@example.net",
        "bob\x00@example.net",
        "bob\x85@example.net",
        "bob\r\nRSET@example.net",
        '"bob@example.net',
        '"bob"x@example.net',
        '"bo\nb"@example.net',
        '"bob\\"@example.net',
        "bob@example..net",
        "bob@.example.net",
        "bob@-example.net",
        "bob@example-.net",
        "bob@example.net\n",
        "bob@example.net..",
        "bob@.",
        "bob@127.1",
        "bob@192.0.2.256",
        "bob@0192.0.2.1",
        "bob@2130706433",
        "bob@exa_mple-.net",
        "bob@[192.0.2.1]x",
        "bob@example.net (home)",
        "bob(home)@example.net",
        "bob,eve@example.net",
        "b" * 889 + "@example.net",
        "..b" * 299 + "@a",
        "bob@exa mple.net",
        "bob@[192.0.2.256]",
        "bob@[192.0.2.1",
        "bob@[192.0.2.01]",
        "bob@[2001:db8::1]",
        "bob@[IPv6:fe80::1%eth0]",
        "bob@[x-tag:content]",
        "bob@[]",
        "b@" + "d" * 64 + ".example",
        "b@" + "d.example" * 28 + ".net",
        "bob@例え。jp",
        "bob@bücher..example",
        "bob@büc her.example",
        "bob@" + "ü" * 60 + ".example",
        "bob@\ud800.example",
    ],
)
def test_a_mailbox_that_is_not_allowed(text: str) -> None:
    with pytest.raises(AddressError) as refused:
        parse_mailbox(text, smtputf8=True)
    assert not refused.value.needs_smtputf8


@pytest.mark.parametrize(
    ("text", "address", "domain"),
    [
        ("try..this..05@docomo.example", '"try..this..05"@docomo.example', "docomo.example"),
        ("abc.@docomo.example", '"abc."@docomo.example', "docomo.example"),
        (".bob@example.net", '".bob"@example.net', "example.net"),
        ("bob@Example.NET.", "bob@Example.NET", "example.net"),
        ("root@project_web_1.project_default", "root@project_web_1.project_default", "project_web_1.project_default"),
        ("bob@_spf.example.net", "bob@_spf.example.net", "_spf.example.net"),
        ("bob@host1", "bob@host1", "host1"),
        ("b" * 65 + "@example.net", "b" * 65 + "@example.net", "example.net"),
        ("b" * 888 + "@example.net", "b" * 888 + "@example.net", "example.net"),
        ("bob@192.0.2.1", "bob@[192.0.2.1]", "[192.0.2.1]"),
        ("bob@192.0.2.1.", "bob@[192.0.2.1]", "[192.0.2.1]"),
        ("ü" * 33 + "@example.net", "ü" * 33 + "@example.net", "example.net"),
        ("jörg.@bücher.example.", '"jörg."@bücher.example', "xn--bcher-kva.example"),
    ],
)  # fmt: skip
def test_what_others_take_is_taken_and_written_as_it_should_be(text: str, address: str, domain: str) -> None:
    mailbox = parse_mailbox(text, smtputf8=True)
    assert mailbox == Mailbox(address, domain)
    assert parse_mailbox(address, smtputf8=True) == mailbox
    if text not in ("bob@host1", address.replace("_", "x")):
        with pytest.raises(AddressError):
            parse_mailbox(text, smtputf8=True, pedantic=True)


def test_a_source_route_is_dropped() -> None:
    assert parse_path("@one.example,@two.example:bob@example.net") == Mailbox(
        "bob@example.net", "example.net"
    )


@pytest.mark.parametrize(
    "text", ["@one.example", "@one.example,two.example:bob@example.net", "@:bob@example.net"]
)
def test_a_source_route_must_be_one(text: str) -> None:
    with pytest.raises(AddressError):
        parse_path(text)


def test_domains_are_put_into_a_labels() -> None:
    assert domain_to_ascii("Bücher.Example") == "xn--bcher-kva.example"
    assert domain_to_ascii("MX.Example.NET") == "mx.example.net"
    with pytest.raises(AddressError):
        domain_to_ascii("example.net" + ".example" * 40)


def test_a_literal_gives_its_address() -> None:
    assert str(literal_address("[192.0.2.1]")) == "192.0.2.1"
    assert str(literal_address("[IPv6:2001:db8::1]")) == "2001:db8::1"
    assert literal_address("example.net") is None
    assert literal_address("[example.net]") is None


def local_part(mailbox: Mailbox) -> str:
    return mailbox.address.rpartition("@")[0]


def test_a_local_part_may_have_an_at_sign_in_it() -> None:
    assert parse_mailbox('"a@b"@example.net') == Mailbox('"a@b"@example.net', "example.net")


LOCAL_PARTS = st.text("ab.+_=", min_size=1, max_size=200)
LABELS = st.from_regex(r"[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=1).map(".".join)


@given(LOCAL_PARTS, DOMAINS, st.sampled_from(["", "."]))
def test_what_is_read_loosely_is_written_strictly_and_read_as_the_same(
    local: str, domain: str, dot: str
) -> None:
    try:
        mailbox = parse_mailbox(f"{local}@{domain}{dot}")
    except AddressError:
        return  # too long, or a number that is no address
    assert parse_mailbox(mailbox.address) == mailbox
    assert mailbox.domain == mailbox.domain.lower()
    assert local_part(mailbox).strip('"') == local
    if len(local) <= 60 and "_" not in domain and len(domain) <= 180:
        assert parse_mailbox(mailbox.address, pedantic=True) == mailbox


@given(st.text('ab.@_"\\1[]: ', max_size=30))
def test_who_is_pedantic_takes_less_and_reads_it_alike(text: str) -> None:
    try:
        mailbox = parse_mailbox(text, pedantic=True)
    except AddressError:
        return
    assert parse_mailbox(text) == mailbox


@given(st.text())
def test_any_text_is_a_mailbox_or_an_address_error(text: str) -> None:
    for candidate in (text, f"{text}@example.net", f"bob@{text}", f'"{text}"@example.net', f"bob@[{text}]"):
        try:
            mailbox = parse_path(candidate, smtputf8=True)
        except AddressError:
            continue
        assert parse_mailbox(mailbox.address, smtputf8=True) == mailbox
        assert mailbox.domain.isascii()
        assert not any(ord(character) < 32 or ord(character) == 127 for character in mailbox.address)


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=60))
def test_what_needs_quotes_gets_them(content: str) -> None:
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    mailbox = parse_mailbox(f'"{escaped}"@example.net') if len(escaped) < 62 else None
    if mailbox is not None and local_part(mailbox).startswith('"'):
        assert local_part(mailbox) == f'"{escaped}"'
    elif mailbox is not None:
        assert local_part(mailbox) == content


@pytest.mark.parametrize("piece", ["a.", "a-", "-", '"', "\\", "@a,", "a@", "ü", "ü.", '"\\"', ":"])
def test_hostile_addresses_cost_linear_time(piece: str) -> None:
    began = time.process_time()
    for text in (piece * 200_000, "@" + piece * 200_000, '"' + piece * 200_000, "a@" + piece * 200_000):
        with pytest.raises(AddressError):
            parse_path(text, smtputf8=True)
    assert time.process_time() - began < 10.0  # a single quadratic step would take minutes
