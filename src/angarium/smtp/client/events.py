"""What goes into a client machine, and what comes out of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from angarium.core.records import ForwardPath, Stage
from angarium.core.reply import Reply
from angarium.smtp.client.dialogue import Said
from angarium.smtp.extensions import Extensions
from angarium.smtp.sasl.exchange import ClientExchange

Method = Literal["ESMTP", "SMTP", "LMTP"]
EightBitPolicy = Literal["convert", "send", "bounce"]
Use = Literal["no", "ifavailable", "required"]
"""Whether an extension is used: never, where the peer offers it, or not without it."""
XclientAttributes = tuple[tuple[str, str], ...]
"""What the peer is told of a message's client: names in upper case, values as they are, "" for what is not known."""
Verdict = Literal["delivered", "transient", "permanent", "ambiguous", "untried"]
Timings = tuple[tuple[Stage, float], ...]
"""Milliseconds waited at each stage reached, in order."""

Trace = Callable[[str, str], None]
"""Called with "C" or "S" and one line of the dialog, at most 500 characters; messages are summarised."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an answer is waited for at each stage, in seconds (RFC 5321 §4.5.3.2).

    *ehlo_s* is for XCLIENT and AUTH as well, *tls_s* for STARTTLS and for the handshake.
    *body_s* is for the peer to take the next piece of a message, *final_s* for its answer to the final dot:
    shortening that one makes duplicates (RFC 1047).
    """

    banner_s: float = 300.0
    ehlo_s: float = 300.0
    tls_s: float = 60.0
    mail_s: float = 300.0
    rcpt_s: float = 300.0
    data_s: float = 120.0
    body_s: float = 180.0
    final_s: float = 600.0
    rset_s: float = 30.0
    quit_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuth:
    """How to log in. *begin* makes an exchange of *mechanism* each time it is called.

    With *needs_tls* the secret itself is sent: never in clear text. *secret* is taken out of what the peer
    answers, should it repeat it.
    """

    mechanism: str
    begin: Callable[[], ClientExchange] = field(repr=False)
    needs_tls: bool = True
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client machine behaves.

    *eight_bit* says what to do with an 8-bit message where the peer does not offer 8BITMIME: have it
    converted (`NeedDowngrade`), send it as it is, or bounce it. Bodies of at most *bdat_at_once_bytes* go in one
    write with their envelope where the peer offers CHUNKING and PIPELINING. With *auth* the session is not ready
    before the peer has let us in. *discarded* keywords of its answer to EHLO count as not offered, by our
    configuration; *distrusted* ones have proved not to do what they promise. *fell_back*: the session is in clear
    text because encryption came to nothing before.
    """

    ehlo_name: str
    method: Method = "ESMTP"
    timeouts: Timeouts = field(default_factory=Timeouts)
    eight_bit: EightBitPolicy = "convert"
    bdat_at_once_bytes: int = 65_536
    tls: Use = "no"
    auth: ClientAuth | None = None
    xclient: Use = "no"
    discarded: frozenset[str] = frozenset()
    distrusted: frozenset[str] = frozenset()
    fell_back: bool = False


class Transaction(msgspec.Struct):
    """One message for one or more recipients.

    *reverse_path* is empty for the null sender; addresses are without angle brackets. *head* is sent before
    *body*: whole trace lines with CRLF. *body* has CRLF lines and is not dot-stuffed; None means that it is
    fed in pieces (`ClientMachine.feed`). *body_size* counts its bytes. *eight_bit* says what the message needs of
    the way, *smtputf8* what its header does. *ret* is "", "FULL" or "HDRS"; *envid* is decoded (RFC 3461). *xclient*
    says where it came from, for settings that want the peer to be told.
    """

    reverse_path: str
    recipients: Sequence[ForwardPath]
    head: bytes
    body: bytes | None
    body_size: int
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    xclient: XclientAttributes = ()


class RecipientResult(msgspec.Struct, gc=False):
    """What became of one recipient; *index* is its place in the transaction's recipients.

    *delivered*: the peer took it. *transient*, *permanent*: it was refused, at *stage*. *ambiguous*: the
    whole message was sent, and the session ended without an answer to it. *untried*: the transaction ended
    before the peer judged this recipient, through no fault of the recipient. *session_fault*: *reply* is about the
    session (421, lost connection, timeout, nonsense), not about the recipient or the message; but not that a session
    which was of use is used up. Our own replies begin with `[internal]`.
    """

    index: int
    verdict: Verdict
    reply: Reply
    stage: Stage
    session_fault: bool = False


class NeedTls(msgspec.Struct):
    """The peer is ready for a handshake: read nothing more in clear text, and call `secured` or `tls_failed`."""


class Ready(msgspec.Struct):
    """The session is ready for its first transaction. *said* is what was said so far."""

    extensions: Extensions
    timings: Timings
    said: Said


class NotReady(msgspec.Struct):
    """The session did not become ready. `Closed` follows.

    *address_fault*: it speaks against this address only, another may do better (any refusal of the session,
    lost connection, timeout, nonsense); otherwise the peer refused our login for good (5xx). *tls_failed*: it
    came to nothing between STARTTLS and the first encrypted answer, so that it may be another matter without.
    *on_terms*: the peer took our greeting, and what went wrong is what the settings ask for (encryption, login,
    XCLIENT): with other settings it may do. *said* is what was said.
    """

    reply: Reply
    stage: Stage
    address_fault: bool
    timings: Timings
    tls_failed: bool = False
    on_terms: bool = False
    said: Said = []


class TransactionFinished(msgspec.Struct):
    """A transaction has ended. Every `deliver` that did not raise ends in exactly one of these.

    *results* has one entry per recipient, in order. *usable*: the session can take another transaction.
    *dsn_relayed*: the peer offers DSN, so success reports for delivered recipients are its business (RFC 3461
    §5.2). *bytes_sent* counts envelope and message as sent. *distrusts* are keywords of the peer's that have proved
    not to do what they promise. *needs_tls*: it refused in clear text what it may take in an encrypted session.
    *dialogue* returns what was said about a recipient, by its place; None where nothing was.
    """

    transaction: Transaction
    results: list[RecipientResult]
    usable: bool
    dsn_relayed: bool
    timings: Timings
    bytes_sent: int
    distrusts: frozenset[str] = frozenset()
    needs_tls: bool = False
    dialogue: Callable[[int], Said] | None = None


class NeedPieces(msgspec.Struct):
    """The peer is ready for the body of *transaction*: call `feed` until it returns False."""

    transaction: Transaction


class NeedDowngrade(msgspec.Struct):
    """The peer takes no 8-bit messages: call `deliver` again with a 7-bit form of *transaction*."""

    transaction: Transaction


class Closed(msgspec.Struct):
    """Nothing more will happen: write the output that is left and close the connection.

    *reply* says why, where it was not asked for and is not in another event.
    """

    reply: Reply | None = None


ClientEvent = NeedTls | Ready | NotReady | TransactionFinished | NeedPieces | NeedDowngrade | Closed
