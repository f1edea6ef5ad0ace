"""Something that has happened to mail, as those are told who use a vendor's words: what each dialect translates."""

from typing import Any, NamedTuple

import msgspec


class BounceWords(NamedTuple):
    """What vendors call a bounce, a complaint and the like. *number* is Momentum's class, and SparkPost's, None where
    there is none. *postmark* is Postmark's type, with its code and title, and whether the address gets no more.
    """

    number: int | None
    postmark: str
    postmark_code: int
    postmark_title: str
    deactivates: bool


class MailEvent(msgspec.Struct, frozen=True, kw_only=True):
    """*id* is that of what has happened, a UUID, and *number* its place in the log: what comes later has a higher one.

    *type* is one of the catalogue of events, *at* when it happened. *message* is the message's id (32 hex digits),
    empty where it is about none, *index* and *address* the recipient's: None and empty where it is about all of the
    message. What follows is of the message, empty where that is not known. *details* are what the type says besides,
    *bounce* what vendors call it. *is_first*: of several such things it is the first.
    """

    id: str
    number: int
    type: str
    at: float
    message: str = ""
    index: int | None = None
    address: str = ""
    account: int = 0
    server: int = 0
    stream: str = ""
    sender: str = ""
    author: str = ""
    subject: str = ""
    message_id: str = ""
    accepted_at: float = 0.0
    size: int = 0
    campaign: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    domain: str = ""
    binding: str = ""
    provider: str = ""
    reply: str = ""
    reason: str = ""
    details: dict[str, Any] = {}
    bounce: BounceWords | None = None
    is_first: bool = True
