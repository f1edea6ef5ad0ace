"""Whose days are meant: a zone by its name, or that of this machine, with its changes of the clock."""

import os
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from angarium.cli.identity.store import StorePlace, open_store
from angarium.cli.options import Failure

_LOCAL = Path("/etc/localtime")

zone_option = click.option(
    "--zone", "zone_name", metavar="NAME", help="Whose days: Europe/Amsterdam.  [default: this machine's]"
)


def zone_for(name: str | None, account: int | None, place: StorePlace) -> tzinfo:
    """Return the zone called *name*; without, that of *account*; of all mail, that of this machine. Raises Failure."""
    if name is not None:
        return zone_named(name)
    if account is None:
        return local_zone()
    with open_store(place) as opened:
        return zone_named(opened.store.accounts.get(account).zone)


def zone_named(name: str) -> tzinfo:
    """Return the zone called *name* (`Europe/Amsterdam`). Raises Failure when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Failure(
            f"{name!r} is no time zone; write one as Europe/Amsterdam, Asia/Kathmandu, UTC"
        ) from error


def local_zone() -> tzinfo:
    """Return the zone that the clock on the wall is in: that of TZ, or the machine's; UTC where it says none."""
    try:
        named = os.environ.get("TZ", "").removeprefix(":")
        if named:
            return ZoneInfo(named)
        name = str(_LOCAL.resolve()).partition("zoneinfo/")[2]
        if name:
            return ZoneInfo(name)
        with _LOCAL.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
