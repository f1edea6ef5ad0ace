"""What an account or a server may do at most, and the checks of that."""

from typing import Annotated, Any, Final, Literal

import msgspec

from angarium.identity import checks
from angarium.identity.fields import About, fields_of
from angarium.sql.errors import Invalid

MAX_DOMAINS: Final = 1_000
"""Domains that an account may have unless its limits say otherwise; each has keys and is looked up in the DNS daily."""
MAX_KEYS: Final = 10_000
"""Keys, tokens and logins that an account may have unless its limits say otherwise."""


def _limit(help: str) -> About:
    return About(help=help, check=checks.amount, new=True, change=True)


class Rate(msgspec.Struct, frozen=True):
    """At most *count* recipients in each window of *seconds*."""

    count: int
    seconds: int


def _rate(field: str, value: Rate | None) -> Rate | None:
    if value is not None:
        checks.amount(f"{field}.count", value.count)
        if not 1 <= value.seconds <= 86_400:
            raise Invalid(f"{field}.seconds", "write 1 to 86400; daily_quota is for whole days")
    return value


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an account or a server may do at most. None: no limit of its own.

    *rate* and *daily_quota* count recipients; the day is that of UTC. *max_message_size* in bytes. *sender_domains*:
    "any", or "verified": the domain of the author (the From field) must be one of the account's verified domains.
    None on a server leaves it to the account, None on an account means "any"; a new account has "verified" unless it
    is the first.

    The rest is the account's alone. *max_queued_recipients* and *max_queued_bytes* bound what waits of it, None: as the
    node's options say. *max_domains* and *max_keys* (keys, tokens and logins together) bound what it may make, None:
    MAX_DOMAINS and MAX_KEYS.
    """

    rate: Annotated[
        Rate | None,
        About(help="Recipients in a window of time; none lifts it.", check=_rate, new=True, change=True),
    ] = None
    daily_quota: Annotated[int | None, _limit("Recipients a day (UTC).")] = None
    max_recipients: Annotated[int | None, _limit("Recipients of one message.")] = None
    max_message_size: Annotated[int | None, _limit("Bytes of one message.")] = None
    sender_domains: Annotated[
        Literal["any", "verified"] | None,
        About(help="Domains that the author of a message may have.", new=True, change=True),
    ] = None
    max_queued_recipients: Annotated[int | None, _limit("Recipients that may wait.")] = None
    max_queued_bytes: Annotated[int | None, _limit("Bytes that may wait to be sent.")] = None
    max_domains: Annotated[int | None, _limit("Sending domains that it may have.")] = None
    max_keys: Annotated[int | None, _limit("Keys, tokens and logins together.")] = None


OF_ACCOUNTS: Final = ("max_queued_recipients", "max_queued_bytes", "max_domains", "max_keys")
"""Limits that no server has of its own."""

NO_LIMITS: Final = Limits()


def check_limits(field: str, value: Any) -> Limits:
    """What an account may do at most. See `sql.checks.Check`."""
    if not isinstance(value, Limits):
        raise Invalid(field, "write limits")
    checks.of_type(field, msgspec.to_builtins(value), Limits)
    for part, described in fields_of(Limits).items():
        if described.about.check is not None:
            described.about.check(f"{field}.{part}", getattr(value, part))
    return NO_LIMITS if value == NO_LIMITS else value


def check_server_limits(field: str, value: Any) -> Limits:
    """What a server may do at most, of what an account may. See `sql.checks.Check`."""
    found = check_limits(field, value)
    for part in OF_ACCOUNTS:
        if getattr(found, part) is not None:
            raise Invalid(f"{field}.{part}", "this is a limit of accounts; set it on the account")
    return found
