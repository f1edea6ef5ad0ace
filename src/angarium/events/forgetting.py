"""Whom mail was about, forgotten with the days: what stays of a day's mail is what is counted. Pure."""

import re
from typing import Final

import msgspec

from angarium.events.catalogue import KINDS
from angarium.events.port import ReceivedMail
from angarium.events.summary import MailSummary

FORGOTTEN: Final = "address forgotten"
"""What is told of a recipient of such a day."""
CODE: Final = r"^[2-5][0-9][0-9](?: [245]\.[0-9]{1,3}\.[0-9]{1,3})?"
"""What of a reply stays, as Python and PostgreSQL read it: its code. The text often repeats the address."""
COUNTED: Final = KINDS["left_out"].number
"""The kind of event whose details are numbers, and are counted."""

_code = re.compile(CODE)


def code_of(reply: str) -> str:
    """Return the codes that a reply begins with (`550 5.1.1`), empty for none."""
    found = _code.match(reply)
    return found[0] if found else ""


def nameless(mail: ReceivedMail) -> ReceivedMail:
    """Return *mail* without what says who wrote it, to whom, and about what."""
    message = mail.message
    return ReceivedMail(
        msgspec.structs.replace(
            message,
            reverse_path="",
            recipients=tuple(msgspec.structs.replace(path, address="") for path in message.recipients),
            options=msgspec.structs.replace(message.options, metadata=None),
        ),
        MailSummary("", "", ""),
    )
