"""What fields must not say that a message is made of. Pure.

Nothing that is said here can begin another header field: what is written is one field, whatever it holds
(`mime.build.fields`). These are what a sender should hear of rather than have mended.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import PurePath
from typing import Final

from angarium.core.fields import Attachment, Fields
from angarium.core.submission import Problem, Reason
from angarium.mime.build.fields import is_field_name

OF_THE_NODE: Final = frozenset(
    (
        *("from", "to", "cc", "bcc", "reply-to", "subject", "mime-version"),
        *("content-type", "content-transfer-encoding", "content-disposition", "content-id"),
        *("received", "return-path", "dkim-signature", "resent-bcc", "delivered-to", "sender"),
    )
)
"""Fields that this node writes, of what the fields say or of its own knowledge."""

_DOTS_AND_BLANKS: Final = re.compile(r"[.\s]+$")


def fields_problems(fields: Fields, forbidden: Collection[str]) -> tuple[Problem, ...]:
    """Return what is wrong with *fields*, all of it. *forbidden* are the endings of attachments' names, in lower case,
    that are not sent.
    """
    if not fields.headers and not fields.attachments:  # as is usual
        return ()
    return (*_header_problems(fields), *_attachment_problems(fields.attachments, forbidden))


def _header_problems(fields: Fields) -> Iterator[Problem]:
    for name, _ in fields.headers:
        pointer = f"headers/{name}"
        if not is_field_name(name):
            yield Problem(Reason.FIELD, pointer, facts={"why": "is no name of a header field"})
        elif name.lower() in OF_THE_NODE:
            why = "is written by this node; leave it out, and use the field for it if there is one"
            yield Problem(Reason.FIELD, pointer, facts={"why": why})


def _attachment_problems(
    attachments: tuple[Attachment, ...], forbidden: Collection[str]
) -> Iterator[Problem]:
    for index, attachment in enumerate(attachments):
        ending = ending_of(attachment.name)
        if ending in forbidden:
            yield Problem(
                Reason.ATTACHMENT_TYPE,
                f"attachments/{index}/name",
                value=attachment.name,
                facts={"ending": ending},
            )


def ending_of(name: str) -> str:
    """Return what stands behind the last dot of a file's name, in lower case, as programs on Windows read it: dots and
    blanks at the end do not count.
    """
    return PurePath(_DOTS_AND_BLANKS.sub("", name)).suffix.removeprefix(".").lower()
