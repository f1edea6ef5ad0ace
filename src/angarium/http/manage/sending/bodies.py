"""What is asked for by those who send, as JSON."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from angarium.core.fields import Language
from angarium.core.options import MOST_BODY_DAYS, TrackLinks
from angarium.http.manage.bodies import Body
from angarium.http.manage.shapes import Moment

MOST_IN_BATCH: Final = 500
MOST_RECIPIENTS: Final = 1_000

Address = Annotated[str, msgspec.Meta(max_length=1_000)]
Text = Annotated[str, msgspec.Meta(max_length=998)]
Header = Annotated[str, msgspec.Meta(max_length=16_384)]


class MailboxBody(Body):
    """An address, and the name that stands beside it."""

    address: Address
    name: Text = ""


class RecipientBody(Body):
    """A recipient. With `data`, or where `separate` is asked for, it gets a message of its own; `data` goes before that
    of the message.
    """

    address: Address
    name: Text = ""
    data: dict[str, Any] | UnsetType = UNSET


class AttachmentBody(Body):
    """A file, in base64. With `content_id` it is an image of the HTML part, which shows it by `cid:` and that id."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    content: bytes
    type: Annotated[str, msgspec.Meta(max_length=129)] = "application/octet-stream"
    content_id: Annotated[str, msgspec.Meta(max_length=255)] = ""


class MessageNew(Body, rename={"sender": "from"}):
    """A message to be sent: made of fields, or whole as `raw` or `raw_base64`, or of a `template`.

    Addresses are texts, `Ann <ann@example.com>`, or objects. `bcc` stands in no message. With `separate` each recipient
    of `to` gets a message of their own, and sees no other. `language` is the one that subject, text, HTML and headers
    are written in, if they are templates; `data` is for all recipients. With `dry_run` nothing is sent, only looked at.
    With `recipient_list`, the id or alias of a stored list, it goes to each on it, who get messages of their own with
    the list's data. `send_at` is when it is to leave. Options say what the key, the stream and the server do not.
    """

    sender: Address | MailboxBody | UnsetType = UNSET
    to: Annotated[tuple[Address | RecipientBody, ...], msgspec.Meta(max_length=MOST_RECIPIENTS)] = ()
    cc: Annotated[tuple[Address | MailboxBody, ...], msgspec.Meta(max_length=MOST_RECIPIENTS)] = ()
    bcc: Annotated[tuple[Address | MailboxBody, ...], msgspec.Meta(max_length=MOST_RECIPIENTS)] = ()
    recipient_list: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    reply_to: Annotated[tuple[Address | MailboxBody, ...], msgspec.Meta(max_length=100)] = ()
    subject: Header | UnsetType = UNSET
    text: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    amp: str | UnsetType = UNSET
    headers: dict[Annotated[str, msgspec.Meta(max_length=76)], Header] = msgspec.field(default_factory=dict)
    attachments: Annotated[tuple[AttachmentBody, ...], msgspec.Meta(max_length=100)] = ()
    raw: str | UnsetType = UNSET
    raw_base64: bytes | UnsetType = UNSET
    template: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET
    separate: bool = False
    return_path: Address | UnsetType = UNSET
    send_at: Moment | UnsetType | None = UNSET
    dry_run: bool = False
    stream: Annotated[str, msgspec.Meta(max_length=30)] | None = None
    tags: Annotated[tuple[Text, ...], msgspec.Meta(max_length=10)] | None = None
    metadata: dict[str, Any] | None = None
    campaign: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    binding: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    lane: Literal["transactional", "bulk"] | None = None
    transactional: bool | None = None
    skip_suppression: bool | None = None
    track_opens: bool | None = None
    track_links: TrackLinks | None = None
    track_bounces: bool | None = None
    inline_css: bool | None = None
    prevent_scam: bool | None = None
    host_images: bool | None = None
    keep_body_days: Annotated[int, msgspec.Meta(ge=0, le=MOST_BODY_DAYS)] | None = None


class BatchNew(Body):
    """Messages that are taken together: what is wrong with one keeps no other from being taken. With `dry_run` none
    is.
    """

    messages: Annotated[tuple[MessageNew, ...], msgspec.Meta(min_length=1, max_length=MOST_IN_BATCH)]
    dry_run: bool = False
