"""The sending side of XCLIENT: telling a relay that trusts us which client a message came from.

    (rset ─►) xclient ─► ehlo ─► auth ─► open

The peer answers as to a new connection, so the greeting and the login are said again; the greeting with the name
that the client gave, as Postfix's XCLIENT_README has it.
"""

from collections.abc import Callable

from angarium.core.reply import Reply
from angarium.smtp.client.events import ClientSettings, XclientAttributes
from angarium.smtp.client.login import login_problem
from angarium.smtp.client.opening import Opening
from angarium.smtp.client.writer import ClientWriter
from angarium.smtp.envelope import encode_xtext
from angarium.smtp.extensions import Extensions
from angarium.smtp.replies import shorten

UNKNOWN = "[UNAVAILABLE]"
MAX_VALUE_CHARS = 255
NO_MORE_XCLIENT = Reply(421, "4.7.6", "[internal] the peer takes no other XCLIENT in this session")


def xclient_command(attributes: XclientAttributes, extensions: Extensions) -> str:
    """Return the command that tells what of *attributes* the peer asks for, "" when it asks for none of them."""
    said = [f" {name}={_value(value)}" for name, value in attributes if name in extensions.xclient]
    return f"XCLIENT{''.join(said)}\r\n" if said else ""


def _value(value: str) -> str:
    return encode_xtext(value) if _is_sayable(value) else UNKNOWN


def _is_sayable(value: str) -> bool:
    return 0 < len(value) <= MAX_VALUE_CHARS and value.isascii() and value.isprintable()


class Told:
    """What the peer of one session was told last, and whether it wants to hear anything."""

    __slots__ = ("_attributes", "_is_deaf", "has_told")

    def __init__(self) -> None:
        self.has_told = False
        self._attributes: XclientAttributes = ()
        self._is_deaf = False

    def is_news(self, attributes: XclientAttributes) -> bool:
        """Whether *attributes* are yet to be said before a message."""
        return not self._is_deaf and (not self.has_told or attributes != self._attributes)

    def note(self, attributes: XclientAttributes, is_believed: bool) -> None:
        """XCLIENT was answered."""
        self.has_told |= is_believed
        self._attributes = attributes
        self._is_deaf = not is_believed


class Introduction(Opening):
    """An opening in the middle of a session, begun by XCLIENT.

    *is_believed*: the peer has taken over what it was told.
    """

    __slots__ = ("_command", "_has_told", "_helo", "is_believed")

    def __init__(
        self,
        settings: ClientSettings,
        writer: ClientWriter,
        extensions: Extensions,
        attributes: XclientAttributes,
        now: float,
    ) -> None:
        super().__init__(settings, writer, now)
        self.extensions = extensions
        self.is_believed = False
        self._may_encrypt = False
        self._command = xclient_command(attributes, extensions)
        self._has_told = False
        self._helo = dict(attributes).get("HELO", "")

    @property
    def is_possible(self) -> bool:
        """Whether the peer wants to know anything that there is to tell."""
        return bool(self._command)

    def begin(self, has_told: bool, needs_reset: bool) -> None:
        """Say XCLIENT, after a RSET where the transaction before left something to undo.

        With *has_told* the peer believes something else already, so that a refusal must end the session: the
        message would be counted as somebody else's.
        """
        self._has_told = has_told
        if needs_reset:
            self._writer.say("RSET\r\n")
            self.stage = "rset"
        else:
            self._say_xclient()

    def reply(self, reply: Reply, now: float) -> None:
        """Take the peer's next answer."""
        on_reply = _ON_REPLY.get(self.stage)
        if on_reply is None:
            super().reply(reply, now)
        else:
            self.note_time(now)
            on_reply(self, reply)

    @property
    def is_about_tls(self) -> bool:
        """Never: the handshake was long ago."""
        return False

    def _problem(self) -> Reply | None:
        # Who we speak for now may not be trusted with a further XCLIENT, and need not.
        auth = self._settings.auth
        return None if auth is None else login_problem(auth, self.extensions, self.is_encrypted)

    def _say_xclient(self) -> None:
        self._writer.say(self._command)
        self.stage = "xclient"

    def _on_rset(self, reply: Reply) -> None:
        if reply.code < 300:
            self._say_xclient()
        else:
            self._refused(shorten(Reply(421, "4.5.0", f"[internal] the peer refused RSET: {reply}")))

    def _on_xclient(self, reply: Reply) -> None:
        if reply.code < 300:
            self.is_believed = True
            if _is_sayable(self._helo) and " " not in self._helo:
                self._name = self._helo
            self._on_banner(reply)
        elif reply.code == 421:
            self._refused(reply)
        elif self._settings.xclient == "required" or self._has_told:
            self._give_up(shorten(Reply(451, "4.7.6", f"[internal] the peer refused XCLIENT: {reply}")))
        else:
            self.is_open = True


_ON_REPLY: dict[str, Callable[[Introduction, Reply], None]] = {
    "rset": Introduction._on_rset,
    "xclient": Introduction._on_xclient,
}
