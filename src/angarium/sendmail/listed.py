"""The recipients that stand in a header or on the command line. Pure."""

import os
import re
from typing import Final

from angarium.sendmail.errors import NotSent
from angarium.sendmail.message import Written

_ATOM: Final = r"[-A-Za-z0-9!#$%&'*+/=?^_`{|}~]+"
_LABEL: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = rf"{_ATOM}(?:\.{_ATOM})*(?:@{_LABEL}(?:\.{_LABEL})*)?"
_PLAIN: Final = re.compile(rf"\s*(?:({_ADDRESS})|[-A-Za-z0-9 ]*<({_ADDRESS})>)\s*")


def listed(written: Written) -> list[str]:
    """Return the addresses of To, Cc and Bcc, without a domain too; of Resent-To and its like where there are any.

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
    plain = [_PLAIN.fullmatch(piece) for piece in value.split(",")]
    if all(plain):
        return [match[1] or match[2] for match in plain if match]
    from angarium.mime.addresses import (
        read_mailboxes,  # as long to load as all else of a mail: most lists are plain
    )

    found = read_mailboxes(value, takes_local=True)
    if not found.is_whole:
        raise NotSent(f"these are no addresses: {value[:200]}", os.EX_DATAERR)
    return [mailbox.address for mailbox in found.mailboxes]
