"""One message as a request asks for it."""

from collections.abc import Sequence

import msgspec

from angarium.core.fields import Personal
from angarium.core.records import ForwardPath
from angarium.core.submission import Content, Problem, Wishes
from angarium.smtp.address import AddressError, Mailbox, parse_mailbox


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What a dialect makes of a request, or of each message in it: a `Submission` without what the node knows.

    *reverse_path* is where bounces go, None to the first author. *personal* is what each of *recipients* has of its
    own. *recipient_list* is the id or alias of a stored list that a form goes to, instead of them. *due_at* is when it
    is to leave, None at once. *refuses_suppressed* leaves recipients out that are suppressed, and says so, where they
    would else be taken and end as suppressed. With *problems* it is not taken: they are what the dialect itself has
    found.
    """

    recipients: Sequence[ForwardPath]
    content: Content
    reverse_path: str | None = None
    wishes: tuple[Wishes, ...] = ()
    personal: Sequence[Personal] = ()
    recipient_list: str | None = None
    due_at: float | None = None
    refuses_suppressed: bool = False
    problems: tuple[Problem, ...] = ()


def mailbox_of(address: str) -> Mailbox | None:
    """Return an address as it is sent to, None for what is none; characters beyond ASCII are allowed."""
    try:
        mailbox = parse_mailbox(address, smtputf8=not address.isascii())
    except AddressError:
        return None
    return mailbox if mailbox.domain else None


def path_to(mailbox: Mailbox) -> ForwardPath:
    """Return the recipient at *mailbox*."""
    return ForwardPath(address=mailbox.address, domain=mailbox.domain)
