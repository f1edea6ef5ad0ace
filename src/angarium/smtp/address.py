"""Mailboxes and domains as SMTP writes them (RFC 5321 §4.1.2 and §4.1.3, RFC 6531 §3.3), and as they are read.

More is read than is written: what others take as well, unless a reader is *pedantic*, is brought into the form that
every program takes. Every pattern is possessive, so that no input costs more than one pass over it.
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import idna

from angarium.core.errors import AngariumError

MAX_LOCAL_OCTETS = 64
MAX_DOMAIN_OCTETS = 255
MAX_ADDRESS_OCTETS = 254
"""A path has at most 256 octets with its angle brackets (RFC 5321 §4.5.3.1)."""
MOST_OCTETS = 900
"""Senders that put a recipient or a checksum into the local part (VERP, SRS) write longer ones. So many octets still
stand in one line of a header, with the name of its field.
"""

_ATEXT = r"-A-Za-z0-9!#$%&'*+/=?^_`{|}~"
_LABEL = r"[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*+"
DOT_STRING = rf"[{_ATEXT}]++(?:\.[{_ATEXT}]++)*+"
DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*+"
PLAIN_DOMAIN = rf"{DOMAIN}(?<![0-9])"
"""A domain that is surely not an IP address."""

_PLAIN = re.compile(rf"({DOT_STRING})@({PLAIN_DOMAIN})")
_LOCAL = re.compile(DOT_STRING)
_LOCAL_UTF8 = re.compile(rf"[{_ATEXT}\u00a0-\U0010ffff]++(?:\.[{_ATEXT}\u00a0-\U0010ffff]++)*+")
_DOTS_ANYWHERE = re.compile(rf"[{_ATEXT}.\u00a0-\U0010ffff]++")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*+)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_ESCAPE = re.compile(r'(["\\])')
_DOMAIN = re.compile(DOMAIN)
_HOST_LABEL = r"[A-Za-z0-9_]++(?:-++[A-Za-z0-9_]++)*+"
_HOST = re.compile(rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*+")
_NUMERIC = re.compile(r"[0-9.]++")


class AddressError(AngariumError):
    """An address or domain that SMTP does not allow. *needs_smtputf8*: it would be allowed with SMTPUTF8."""

    def __init__(self, sentence: str, *, needs_smtputf8: bool = False) -> None:
        super().__init__(sentence)
        self.needs_smtputf8 = needs_smtputf8


class Mailbox(NamedTuple):
    """An address that was checked.

    *address* is what was written, quoted where it must be and only there, without a dot behind the domain. *domain*
    is its domain in lower-case A-labels, or an address literal in its brackets with the address in its shortest form;
    empty for a local part alone, as in `postmaster`.
    """

    address: str
    domain: str


def parse_mailbox(text: str, *, smtputf8: bool = False, pedantic: bool = False) -> Mailbox:
    """Return the mailbox written in *text*, without angle brackets. Raises AddressError.

    Characters beyond ASCII are allowed with *smtputf8* only, in the local part and as U-labels (RFC 6531
    §3.3). With *pedantic* nothing is taken that RFC 5321 forbids; else a dot too many in a local part, long local
    parts, `_` in a domain, a dot behind it, and an IPv4 address without its brackets.
    """
    match = _PLAIN.fullmatch(text)
    if match is not None and len(text) <= MAX_ADDRESS_OCTETS:
        domain = match[2]
        if match.end(1) <= MAX_LOCAL_OCTETS and (len(domain) <= 63 or _labels_fit(domain)):
            return Mailbox(text, domain.lower())
    return _parse_unusual(text, smtputf8, pedantic)


def comparable(address: str, domain: str) -> str:
    """Return a mailbox as it is compared: no provider tells `Ann@` from `ann@`, and characters beyond ASCII are in NFC.
    *domain*: in A-labels.
    """
    local = address[: address.rfind("@")]
    if local.isascii():
        return f"{local.lower()}@{domain}"
    return f"{unicodedata.normalize('NFC', unicodedata.normalize('NFC', local).casefold())}@{domain}"


def parse_path(text: str, *, smtputf8: bool = False, pedantic: bool = False) -> Mailbox:
    """Parse what stands between angle brackets, dropping a source route (RFC 5321 §4.1.1.3)."""
    if text.startswith("@"):
        route, colon, text = text.partition(":")
        if not colon:
            raise AddressError("a source route ends with a colon")
        for hop in route.split(","):
            if not hop.startswith("@"):
                raise AddressError("each hop of a source route begins with @")
            domain_to_ascii(hop[1:], smtputf8=smtputf8, pedantic=pedantic)
    return parse_mailbox(text, smtputf8=smtputf8, pedantic=pedantic)


def is_local_part(text: str) -> bool:
    """Whether *text* can be a local part as it is, in ASCII and without quotes."""
    return len(text) <= MAX_LOCAL_OCTETS and _LOCAL.fullmatch(text) is not None


def domain_to_ascii(text: str, *, smtputf8: bool = True, pedantic: bool = False) -> str:
    """Return a host or mail domain in lower-case A-labels, as DNS wants it. Raises AddressError.

    U-labels are put into lower case and NFC, then checked by IDNA 2008; no other mapping is done. With
    *smtputf8* False they are refused. Hosts that stand in no public DNS often have a `_`, which *pedantic* refuses.
    """
    if (_DOMAIN if pedantic else _HOST).fullmatch(text) is not None:
        if len(text) > MAX_DOMAIN_OCTETS or not _labels_fit(text):
            raise AddressError("the domain or one of its labels is too long")
        return text.lower()
    if text.isascii():
        raise AddressError("the domain is not written as letters, digits, hyphens and dots")
    if not smtputf8:
        raise AddressError("a domain beyond ASCII needs SMTPUTF8", needs_smtputf8=True)
    return _encode_idn(text)


def literal_address(domain: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address inside a literal such as `[192.0.2.1]` or `[IPv6:2001:db8::1]`, None for anything
    else.
    """
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    inside = domain[1:-1]
    try:
        if inside[:5].lower() == "ipv6:":
            return None if "%" in inside else ipaddress.IPv6Address(inside[5:])
        return ipaddress.IPv4Address(inside)
    except ValueError:
        return None


def _parse_unusual(text: str, smtputf8: bool, pedantic: bool) -> Mailbox:
    most = MAX_ADDRESS_OCTETS if pedantic else MOST_OCTETS
    if _octets(text) > most:
        raise AddressError(f"the address has more than {most} octets")
    local, domain = _split(text, pedantic)
    if not smtputf8 and not local.isascii():
        raise AddressError("an address beyond ASCII needs SMTPUTF8", needs_smtputf8=True)
    if pedantic and _octets(local) > MAX_LOCAL_OCTETS:
        raise AddressError(f"the local part has more than {MAX_LOCAL_OCTETS} octets")
    if not pedantic:
        domain = _tidied(domain)
    mailbox = Mailbox(f"{local}@{domain}", _checked_domain(domain, smtputf8, pedantic))
    if _octets(mailbox.address) > most:  # its quotes are ours
        raise AddressError(f"the address has more than {most} octets")
    return mailbox


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _split(text: str, pedantic: bool) -> tuple[str, str]:
    """Return local part, quoted only where it must be, and domain as written."""
    if text.startswith('"'):
        quoted = _QUOTED.match(text)
        if quoted is None or text[quoted.end() : quoted.end() + 1] != "@":
            raise AddressError("the quoted local part does not end as it should")
        return _requote(_QUOTED_PAIR.sub(r"\1", quoted[1])), text[quoted.end() + 1 :]
    local, at, domain = text.partition("@")
    if not at:
        raise AddressError("the address has no domain")
    if not pedantic and _DOTS_ANYWHERE.fullmatch(local) is not None:
        return _requote(local), domain
    if _LOCAL_UTF8.fullmatch(local) is None:
        raise AddressError("the local part has a character that needs quotes, or a dot too many")
    return local, domain


def _tidied(domain: str) -> str:
    """Return *domain* without the dot that ends it in DNS, an address without brackets in them."""
    domain = domain.removesuffix(".")
    return f"[{domain}]" if _NUMERIC.fullmatch(domain) is not None else domain


def _requote(content: str) -> str:
    if _LOCAL_UTF8.fullmatch(content) is not None:
        return content
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", content) + '"'


def _checked_domain(domain: str, smtputf8: bool, pedantic: bool) -> str:
    if _NUMERIC.fullmatch(domain) is not None:  # no top-level domain is a number (RFC 3696 §2)
        raise AddressError("an IP address stands in brackets: [a.b.c.d]")
    if not domain.startswith("["):
        return domain_to_ascii(domain, smtputf8=smtputf8, pedantic=pedantic)
    address = literal_address(domain)
    if address is None:
        raise AddressError("the address literal is neither [a.b.c.d] nor [IPv6:...]")
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


def _labels_fit(domain: str) -> bool:
    return all(len(label) <= 63 for label in domain.split("."))


@lru_cache(4096)
def _encode_idn(text: str) -> str:
    if len(text) > MAX_DOMAIN_OCTETS:
        raise AddressError("the domain is too long")
    try:
        encoded = idna.encode(unicodedata.normalize("NFC", text.lower()), strict=True, std3_rules=True)
    except UnicodeError:
        raise AddressError("the domain is not a valid internationalised name (IDNA 2008)") from None
    return encoded.decode("ascii")
