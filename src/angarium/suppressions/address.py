"""What is suppressed, in the one form in which it is compared, and what it is found by. Pure.

An address is compared without regard to case: a domain has none, and no provider tells `Ann@` from `ann@`. Domains are
A-labels, quotes stand only where they must, and characters beyond ASCII are in NFC. What follows a `+`, and dots in a
local part, mean something to some providers and not to others: such addresses are different ones.

An address is found by 64 bits: 40 of the address, so that all that is known of it stands together, and 24 of whose list
it is on. Numbers in the database are signed, and in the order of the bytes.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NamedTuple

from angarium.config.patterns import read_pattern
from angarium.config.reading import BadValue
from angarium.smtp.address import AddressError, comparable, domain_to_ascii, parse_mailbox
from angarium.sql.errors import Invalid

WhatKind = Literal["address", "domain", "pattern"]

PREFIX_BYTES = 5
_TAG_BITS = 24
_SIGN = 1 << 63


class What(NamedTuple):
    """What is suppressed: an address, a domain (`example.com`, `*.example.com` for all below it), or a pattern in
    slashes.
    """

    kind: WhatKind
    text: str


def what_of(said: str) -> What:
    """Return what is meant by an address, `example.com`, `@example.com`, `*.example.com` or `/pattern/`, as it is
    compared. Raises Invalid.
    """
    text = said.strip()
    if len(text) > 2 and text[0] == text[-1] == "/":
        return What("pattern", _checked_pattern(text))
    local, _, domain = text.rpartition("@")
    if local:
        return What("address", address_of(text))
    below = "*." if domain.startswith("*.") else ""
    if not domain or ("." not in domain.removeprefix(below)):
        raise Invalid(
            "address", f"{said[:100]!r} is no address; write user@example.com, a domain, or /a pattern/"
        )
    try:
        return What("domain", below + domain_to_ascii(domain.removeprefix(below)))
    except AddressError as error:
        raise Invalid("address", f"{said[:100]!r}: {error}") from None


def address_of(said: str) -> str:
    """Return an address as it is compared. Raises Invalid."""
    try:
        mailbox = parse_mailbox(said.strip(), smtputf8=True)
    except AddressError as error:
        raise Invalid("address", f"{said[:100]!r} is no address: {error}") from None
    return comparable(mailbox.address, mailbox.domain)


def prefix_of(address: str) -> bytes:
    """Return the first five bytes of the entries of an address."""
    return blake2b(address.encode("utf-8", "surrogatepass"), digest_size=PREFIX_BYTES).digest()


@lru_cache(maxsize=4_096)
def tag_of(account: int | None, scope: str) -> bytes:
    """Return the last three bytes of the entries of a list: that of a scope of an account, None for the node's."""
    return blake2b(f"{account or 0}/{scope}".encode(), digest_size=_TAG_BITS // 8).digest()


def entry_of(account: int | None, scope: str, text: str) -> int:
    """Return the number in the database that a thing is found by."""
    return int.from_bytes(prefix_of(text) + tag_of(account, scope)) - _SIGN


def entries_of(text: str) -> tuple[int, int]:
    """Return the first and the last number that a thing may have, on whosever list."""
    first = int.from_bytes(prefix_of(text)) << _TAG_BITS
    return first - _SIGN, first + (1 << _TAG_BITS) - 1 - _SIGN


def entry_bytes(entry: int) -> bytes:
    """Return the eight bytes of an entry."""
    return (entry + _SIGN).to_bytes(8)


def _checked_pattern(text: str) -> str:
    try:
        read_pattern(text[1:-1], ignores_case=True)
    except BadValue as error:
        raise Invalid("address", str(error)) from None
    return text
