"""Who decides for the server machine."""

from typing import Protocol

from angarium.core.reply import Reply
from angarium.smtp.server.command import MailCommand, RcptCommand


class ServerHandler(Protocol):
    """Decides what the machine answers. Syntax, order and limits were checked before it is asked.

    A method, here and of the two parts, returns the reply, or None: then the reply must be given by
    `ServerMachine.answer`, before the method returns or later, and input waits for it. A reply of 421 or 521 closes the
    connection. Usual replies stand in `server.answers`.
    """

    @property
    def mail(self) -> "MailHandler":
        """Who decides about mail."""
        ...

    @property
    def login(self) -> "AuthHandler":
        """Who decides about logins."""
        ...

    def on_helo(self, verb: str, name: str) -> Reply | None:
        """The peer says HELO or EHLO. The text of a positive reply follows our hostname; extensions are
        added.
        """
        ...

    def on_vrfy(self, argument: str) -> Reply | None:
        """VRFY, which need not be answered honestly: `answers.CANNOT_VERIFY`."""
        ...

    def on_help(self, argument: str) -> Reply | None:
        """HELP; *argument* is often empty."""
        ...

    def on_starttls(self) -> Reply | None:
        """STARTTLS where it is offered. After 220 the machine is in state "tls": the shell makes the handshake
        once the output is written, and calls `ServerMachine.secured`. A transaction is void, and so is all else
        that the peer has said.
        """
        ...

    def on_xclient(self, attributes: dict[str, str]) -> Reply | None:
        """XCLIENT from a peer to which it is offered: names in upper case, values decoded and checked; addresses
        without `IPV6:`; `[UNAVAILABLE]` and `[TEMPUNAVAIL]` as they are. After a positive reply the session begins
        anew with our greeting.
        """
        ...

    def on_refusal(self, reply: Reply) -> None:
        """Something was answered with 4xx or 5xx, by the machine or as the handler said; not told of answers to
        whole messages, which are the handler's own.
        """
        ...


class MailHandler(Protocol):
    """Decides about the transactions of one connection (RFC 5321 §3.3)."""

    def on_mail(self, command: MailCommand) -> Reply | None:
        """A transaction begins, if the reply is positive."""
        ...

    def on_rcpt(self, command: RcptCommand) -> Reply | None:
        """One more recipient, if the reply is positive."""
        ...

    def on_data(self) -> Reply | None:
        """A body is about to come. `answers.GO_AHEAD` lets it; after a refusal of DATA the transaction stays
        open.
        """
        ...

    def on_growth(self, size: int) -> Reply | None:
        """Of a body that is not complete *size* bytes have come, 64 KiB or more more than when last asked. A reply
        refuses it: the rest is thrown away, and the reply said at its end.
        """
        ...

    def on_chunk(self, piece: bytes) -> None:
        """A piece, 64 KiB or more, of a body that is larger than the spill threshold."""
        ...

    def on_message(self, rest: bytes) -> None:
        """The body is complete; *rest* is all of it, or what `on_chunk` did not get, possibly nothing.

        CR LF line ends, no stuffed dots; not empty means that it ends with CR LF. Must be answered by
        `ServerMachine.answer`, now or later, and is the handler's from now on, even if the peer goes away.
        """
        ...

    def on_reset(self) -> None:
        """The transaction is void, with all that was handed over for it."""
        ...


class AuthHandler(Protocol):
    """Decides about the logins of one connection (RFC 4954)."""

    def on_auth(self, mechanism: str, initial: bytes | None) -> Reply | None:
        """AUTH with a mechanism that is offered, in upper case; *initial* is the decoded initial response.

        Usually None: then `ServerMachine.challenge` asks the client for a response, any number of times, and
        `ServerMachine.answer` ends it with 235 or a refusal; both may be called before this returns.
        """
        ...

    def on_auth_line(self, data: bytes) -> None:
        """The client's response to a challenge, decoded. To be followed by `challenge` or `answer`, now or later."""
        ...

    def on_auth_cancel(self) -> None:
        """The exchange is over without a result: cancelled, or not base64. The machine has answered."""
        ...
