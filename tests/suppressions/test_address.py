"""What is suppressed, in the one form in which it is compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.smtp.address import comparable, parse_mailbox
from angarium.sql.errors import Invalid
from angarium.suppressions.address import (
    address_of,
    entries_of,
    entry_bytes,
    entry_of,
    prefix_of,
    tag_of,
    what_of,
)


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        ("Ann@Example.COM", "address", "ann@example.com"),
        (" ann@example.com ", "address", "ann@example.com"),
        ('"ann"@example.com', "address", "ann@example.com"),
        ('"Ann Lee"@example.com', "address", '"ann lee"@example.com'),
        ("ann+news@example.com", "address", "ann+news@example.com"),
        ("a.n.n@gmail.com", "address", "a.n.n@gmail.com"),
        ("ann@b\u00fccher.example", "address", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "address", "ann@xn--bcher-kva.example"),
        ("\u00c4nne@example.com", "address", "\u00e4nne@example.com"),
        ("A\u0308nne@example.com", "address", "\u00e4nne@example.com"),
        ("ann@[192.0.2.1]", "address", "ann@[192.0.2.1]"),
        ("Example.com", "domain", "example.com"),
        ("@example.com", "domain", "example.com"),
        ("*.example.com", "domain", "*.example.com"),
        ("*.B\u00fccher.example", "domain", "*.xn--bcher-kva.example"),
        ("/^noreply@/", "pattern", "/^noreply@/"),
    ],
)
def test_one_thing_has_one_form(said: str, kind: str, text: str) -> None:
    assert what_of(said) == (kind, text)


@pytest.mark.parametrize(
    "said", ["", "ann", "ann@", "@", "*.", "a b@example.com", "ann@ex ample.com", "/(/", "*@x.org,"]
)
def test_what_is_nothing_of_that_is_refused(said: str) -> None:
    with pytest.raises(Invalid) as raised:
        what_of(said)
    assert raised.value.field == "address"


_LOCAL = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"\\@'), min_size=1
)


@given(_LOCAL)
def test_the_form_is_the_same_however_often_it_is_made(local: str) -> None:
    once = comparable(f"{local}@example.com", "example.com")
    assert comparable(once, "example.com") == once
    assert comparable(f"{local.upper()}@example.com".swapcase().swapcase(), "example.com")


def test_a_recipient_as_the_door_took_it_has_the_form_of_who_is_suppressed() -> None:
    mailbox = parse_mailbox('"Ann"@B\u00fccher.Example', smtputf8=True)
    assert comparable(mailbox.address, mailbox.domain) == address_of("ann@xn--bcher-kva.example")


def test_all_entries_of_an_address_stand_together_and_in_the_order_of_their_bytes() -> None:
    lists = [(1, "*"), (1, "7/outbound"), (2, "*"), (None, "*")]
    entries = [entry_of(account, scope, "ann@example.com") for account, scope in lists]
    first, last = entries_of("ann@example.com")
    assert all(first <= entry <= last for entry in entries)
    assert len(set(entries)) == 4
    assert [entry_bytes(entry) for entry in sorted(entries)] == sorted(map(entry_bytes, entries))
    assert entry_bytes(entries[1]) == prefix_of("ann@example.com") + tag_of(1, "7/outbound")
    assert -(1 << 63) <= first <= last < 1 << 63
