"""The recipients that stand in a header, for `-t`. Pure; loaded when it is needed."""

import os

from angarium.mime.addresses import read_mailboxes
from angarium.sendmail.errors import NotSent
from angarium.sendmail.message import Written


def listed(written: Written) -> list[str]:
    """Return the addresses of To, Cc and Bcc, those without a domain too; of Resent-To and its like where there are
    any.

    Raises NotSent for a list that cannot be read: nobody is left out in silence.
    """
    names = (b"to", b"cc", b"bcc")
    resent = tuple(b"resent-" + name for name in names)
    found = []
    for value in written.values(*(resent if any(map(written.has, resent)) else names)):
        found += addresses_in(value)
    return found


def addresses_in(value: str) -> list[str]:
    """Return the addresses of a list, as a field holds it. Raises NotSent."""
    found = read_mailboxes(value, takes_local=True)
    if not found.is_whole:
        raise NotSent(f"these are no addresses: {value[:200]}", os.EX_DATAERR)
    return [mailbox.address for mailbox in found.mailboxes]
