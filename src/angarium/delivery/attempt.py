"""What an attempt needs on its way from the scheduler's command to the wire, and in which order. Pure.

    body ─► (data) ─► rendering ─► keys ─► lines made short ─► signature ─► return path ─► intent ─► leaves    `attempt`
    7-bit form ─► keys ─► signature ─► what leaves instead                                   `conversion`

Both are generators: each yields what it needs next, is sent that, and returns what leaves. `delivery.handover` drives
them: what is known is answered at once, so that plain mail leaves without waiting for anything; the rest is waited
for. A need that cannot be met is thrown in as `Unmet`, which ends the attempt.

A conversion follows in the middle of a transaction, when the peer has shown that it takes no 8-bit text.

Signatures are made last, over what leaves. Where the author's domain has keys, nothing leaves unsigned.
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import msgspec

from angarium.config.records import OutboundOptions
from angarium.core.errors import AngariumError
from angarium.core.records import Message, Recipient
from angarium.core.reply import Reply
from angarium.mime.eightbit import downgrade, shorten_lines
from angarium.mime.lines import has_long_line
from angarium.queue.commands import Deliver, LeftOut, Verdict
from angarium.render.dkim import Keys
from angarium.render.pipeline import RENDERING, Rendering
from angarium.spool.port import Body

_NOT_SEVEN_BIT = Reply(
    554,
    "5.6.3",
    "[internal] the peer does not offer 8BITMIME, and this 8-bit message must not be encoded anew: it has signed parts,"
    " is a fragment, or contradicts itself; send it in quoted-printable or base64, encoded before it is signed",
)
"""RFC 1847 §2.1: what multipart/signed covers is 7-bit before it is signed, and opaque from then on."""


class NeedBody(msgspec.Struct):
    """The text of *message* as it was submitted: bytes, or a `LargeBody`."""

    message: Message


class NeedData(msgspec.Struct):
    """What *message* has of its own besides its content: bytes."""

    message: Message


class NeedRender(msgspec.Struct):
    """What *render* makes of *body*, which may take a while. Bytes, or None where it makes nothing of it."""

    message: Message
    body: Body
    render: Callable[[bytes], bytes | None]


class NeedKeys(msgspec.Struct):
    """The keys that sign for the author of *message*; an empty tuple: it leaves unsigned."""

    message: Message


class NeedSignature(msgspec.Struct):
    """The signatures by *keys* over *body* and the trace lines before it, as bytes.

    *is_own*: *body* is as it was submitted, the same for all recipients.
    """

    message: Message
    body: Body
    keys: Keys
    options: OutboundOptions
    is_own: bool


class NeedIntent(msgspec.Struct):
    """A durable note that the attempt of *command* begins, see `delivery.intents`. Answered by None."""

    command: Deliver


class NeedReturnPath(msgspec.Struct):
    """The address that mail of *recipient* comes back to, signed. Empty: that of its sender."""

    recipient: Recipient


Need = NeedReturnPath | NeedBody | NeedData | NeedRender | NeedKeys | NeedSignature | NeedIntent


class Payload(msgspec.Struct):
    """What leaves: *head*, whole lines, and then *body*. *return_path* takes the place of the message's reverse path,
    unless it is empty.
    """

    head: bytes
    body: Body
    return_path: str = ""


Course = Generator[Need, Any, Payload]


class Unmet(AngariumError):
    """A need cannot be met, so that nothing leaves. *verdict* and *reply* are for the recipients."""

    def __init__(self, verdict: Verdict | LeftOut, reply: Reply) -> None:
        super().__init__(str(reply))
        self.verdict = verdict
        self.reply = reply


def attempt(command: Deliver, options: OutboundOptions, rendering: Rendering = RENDERING) -> Course:
    """Return the course of the attempt that *command* asks for, over a connection made under *options*.

    Of a personal message it has one recipient.
    """
    recipient = command.recipients[0]
    message = recipient.message
    body = yield NeedBody(message)
    is_own = not rendering.is_changed(message)
    if not is_own:
        render = partial(rendering.render, recipient)
        if message.is_form:
            own = yield NeedData(message)
            body = yield NeedRender(message, body, lambda form: render(form, own))
        else:
            body = yield NeedRender(message, body, render)
    keys = (yield NeedKeys(message)) if _may_be_signed(message, options) else ()
    if keys:
        payload = yield from _signed(message, body, keys, options, is_own=is_own)
    else:
        payload = Payload(message.trace, body)
    if message.return_domain:
        payload.return_path = yield NeedReturnPath(recipient)
    if options.ambiguous_delivery == "hold":
        yield NeedIntent(command)
    return payload


def conversion(message: Message, body: Body, options: OutboundOptions) -> Course:
    """Return the course of what follows when the peer takes no 8-bit *body* (RFC 6152 §3)."""
    converted = yield NeedRender(message, body, downgrade)
    if converted is None:
        raise Unmet("permanent", _NOT_SEVEN_BIT)
    keys = (yield NeedKeys(message)) if _may_be_signed(message, options) else ()
    signatures = (yield NeedSignature(message, converted, keys, options, is_own=False)) if keys else b""
    return Payload(signatures + message.trace, converted)


def _signed(
    message: Message, body: Body, keys: Keys, options: OutboundOptions, *, is_own: bool
) -> Generator[Need, Any, Payload]:
    """Sign *body*; before that, lines go that hosts on the way may break, and the signature with them."""
    if _has_long_lines(message, body):
        short = yield NeedRender(message, body, shorten_lines)
        if short is not None:
            body, is_own = short, False
    signatures = yield NeedSignature(message, body, keys, options, is_own)
    return Payload(signatures + message.trace, body)


def _may_be_signed(message: Message, options: OutboundOptions) -> bool:
    return bool(message.author_domain) and options.opendkim_sign and message.options.sign is not False


def _has_long_lines(message: Message, body: Body) -> bool:
    """Whether it may; of a file it is not known yet."""
    return message.mends_lines and (not isinstance(body, bytes) or has_long_line(body))
