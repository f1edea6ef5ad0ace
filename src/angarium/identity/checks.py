"""What the fields of accounts, servers, logins, … may be: each check returns the value as it is kept.

Or it raises Invalid, which says what to write instead.
"""

import ipaddress
import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import idna
import msgspec

from angarium.core.options import Options, as_mapping
from angarium.dialects.postmark.names import RESERVED_STREAMS
from angarium.identity.grants import GRANTS
from angarium.sql.checks import LONGEST_TEXT as LONGEST_TEXT
from angarium.sql.checks import Check
from angarium.sql.checks import text as text
from angarium.sql.errors import Invalid

MOST_NETWORKS = 100
MOST_LEVELS = 20
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1000
LONGEST_DESCRIPTION = 2000
STREAM_ID = "[a-z][a-z0-9_-]{0,29}"
_LATEST = 253_402_300_800  # the year 10000; whoever sends milliseconds is beyond it
_STREAM_ID = re.compile(STREAM_ID, re.ASCII)
_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x20\x7f]{1,64}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


def name(field: str, value: object) -> str:
    """A name by which a person finds something again."""
    value = text(field, value)
    if not value:
        raise Invalid(field, "write a name of 1 to 200 characters")
    if value.isdecimal():
        raise Invalid(field, "a number alone would be taken for an id; add a letter")
    return value


def description(field: str, value: Any) -> str:
    """A longer text."""
    return text(field, value, LONGEST_DESCRIPTION)


def footer(field: str, value: Any) -> str:
    """A text of some lines."""
    if not isinstance(value, str):
        raise Invalid(field, "write a text")
    lines = [text(field, line, LONGEST_DESCRIPTION) for line in value.strip().splitlines()]
    return text(field, " ".join(lines), LONGEST_DESCRIPTION) and "\n".join(lines)


def flag(field: str, value: Any) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise Invalid(field, "write true or false")
    return value


def zone(field: str, value: Any) -> str:
    """The name of a time zone; nothing is UTC."""
    try:
        return ZoneInfo("UTC" if value == "" else value).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        said = "is no time zone that is known here; write one as Europe/Amsterdam, Asia/Kathmandu, UTC"
        raise Invalid(field, said) from error


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(field: str, value: Any) -> str:
        if value not in words:
            raise Invalid(field, f"write {' or '.join(words)}")
        return str(value)

    return check


def stream_id(field: str, value: Any) -> str:
    """The id of a message stream."""
    if not isinstance(value, str) or not _STREAM_ID.fullmatch(value):
        raise Invalid(field, "write 1 to 30 of a-z, 0-9, - and _, beginning with a letter")
    if value.startswith(RESERVED_STREAMS):
        raise Invalid(field, f"{RESERVED_STREAMS} at the beginning is reserved; begin with something else")
    return value


def email(field: str, value: Any) -> str:
    """An e-mail address, in lower case: nobody has two logins that differ in capitals only."""
    local, at, host = value.strip().lower().rpartition("@") if isinstance(value, str) else ("", "", "")
    if not at or not _LOCAL_PART.fullmatch(local) or local[0] == "." or local[-1] == "." or ".." in local:
        raise Invalid(field, "write an e-mail address such as jane@example.com")
    return f"{local}@{domain(field, host)}"


def domain(field: str, value: Any) -> str:
    """A domain name of two labels or more, in lower-case A-labels."""
    if not isinstance(value, str):
        raise Invalid(field, "write a domain name such as example.com")
    try:
        encoded = idna.encode(value.strip(), uts46=True).decode().lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        encoded = ""
    if "." not in encoded or len(encoded) > 253 or encoded.rpartition(".")[2].isdigit():
        raise Invalid(field, "write a domain name such as example.com")
    return encoded


def tracking(field: str, value: Any, of: str) -> str:
    """A name under the domain *of*: a label in front of it, or all of the name; nothing is none."""
    return _name_under(field, value, of, "clicks")


def return_path(field: str, value: Any, of: str) -> str:
    """The same, for what bounces come back to."""
    return _name_under(field, value, of, "bounces")


def _name_under(field: str, value: Any, of: str, such_as: str) -> str:
    if not isinstance(value, str):
        raise Invalid(field, f"write a name under {of}, such as {such_as}")
    value = value.strip().lower()
    if not value:
        return ""
    value = value.removesuffix(".")
    full = value if value.endswith(f".{of}") else f"{value}.{of}"
    if len(full) > 253 or not all(_LABEL.fullmatch(label) for label in full.split(".")):
        raise Invalid(field, f"write a name under {of}, such as {such_as} or {such_as}.{of}")
    return full


def password(field: str, value: Any) -> str:
    """The password of a person."""
    if not isinstance(value, str) or not SHORTEST_PASSWORD <= len(value) <= LONGEST_PASSWORD:
        raise Invalid(field, f"write {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if "\0" in value:
        raise Invalid(field, "write it without the character NUL, which no mail program can send")
    return value


def networks(field: str, value: Any) -> tuple[str, ...]:
    """Networks in CIDR notation; an address stands for itself alone."""
    given = list(_items(field, value))
    if len(given) > MOST_NETWORKS:
        raise Invalid(field, f"{len(given)} networks are too many; write {MOST_NETWORKS} at most")
    return tuple(dict.fromkeys(_network(field, item) for item in given))


def _network(field: str, value: str) -> str:
    try:
        return str(ipaddress.ip_network(value.strip(), strict=False))
    except ValueError:
        raise Invalid(
            field, f"{value[:60]!r} is not a network; write 192.0.2.0/24, 2001:db8::/32 or an address"
        ) from None


def grants(field: str, value: Any) -> tuple[str, ...]:
    """Grants of an API key, sorted."""
    given = set(_items(field, value))
    unknown = sorted(given - GRANTS.keys())
    if unknown:
        raise Invalid(field, f"there is no grant {unknown[0][:60]!r}; write some of {', '.join(GRANTS)}")
    if not given:
        raise Invalid(
            field, "a key without grants may do nothing; write smtp/inject for one that sends by SMTP"
        )
    return tuple(sorted(given))


def _items(field: str, value: Any) -> Iterable[str]:
    is_list = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)
    if not is_list or not all(isinstance(item, str) for item in value):
        raise Invalid(field, "write a list of texts")
    return list(value)


def moment(field: str, value: Any) -> float | None:
    """An instant in seconds of Unix time, or None."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 < value < _LATEST:
        raise Invalid(field, "write an instant between 1970 and the year 10000")
    return float(value)


def amount(field: str, value: int | None) -> int | None:
    """A number of things from 1 on, or None for no limit."""
    if value is not None and not 1 <= value < 1 << 53:
        raise Invalid(field, "write a number from 1 on, or leave it out for no limit")
    return value


def options(field: str, value: Any) -> Options:
    """One layer of options for messages."""
    if not isinstance(value, Options):
        raise Invalid(field, "write options")
    _check_depth(f"{field}.metadata", value.metadata)
    of_type(field, msgspec.to_builtins(value), Options)
    size = len(msgspec.json.encode(as_mapping(value)))
    if size > 65_536:
        raise Invalid(field, f"{size} bytes are too many; write 65536 at most")
    return value


def _check_depth(field: str, value: object, levels: int = MOST_LEVELS) -> None:
    """Make sure that every message can carry *value*, and everybody read it again."""
    if not levels:
        raise Invalid(field, f"nested too deeply; write {MOST_LEVELS} levels at most")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise Invalid(field, "a number beyond 64 bits; write it as a text")
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid(field, "not a number that JSON knows; write another, or a text")
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        _check_depth(field, inner, levels - 1)


def of_type(field: str, value: Any, kind: type) -> None:
    """Raise Invalid when *value* is not what a *kind* is made of."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Invalid(field, str(error)) from None


def page(limit: Any) -> int:
    """How many rows of a listing at once."""
    if not isinstance(limit, int) or not 1 <= limit <= 10_000:
        raise Invalid("limit", "write a number from 1 to 10000")
    return limit
