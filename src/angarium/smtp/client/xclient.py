"""XCLIENT (Postfix's XCLIENT_README) as the sending side says it: which client a message came from, told to a relay
that trusts us.
"""

from angarium.smtp.client.events import XclientAttributes
from angarium.smtp.envelope import encode_xtext
from angarium.smtp.extensions import Extensions

UNKNOWN = "[UNAVAILABLE]"
MAX_VALUE_CHARS = 255


def xclient_command(attributes: XclientAttributes, extensions: Extensions) -> str:
    """Return the command that tells what of *attributes* the peer asks for, "" when it asks for none of them."""
    said = [f" {name}={_value(value)}" for name, value in attributes if name in extensions.xclient]
    return f"XCLIENT{''.join(said)}\r\n" if said else ""


def _value(value: str) -> str:
    return encode_xtext(value) if _is_sayable(value) else UNKNOWN


def _is_sayable(value: str) -> bool:
    return 0 < len(value) <= MAX_VALUE_CHARS and value.isascii() and value.isprintable()


def greeting_name(attributes: XclientAttributes, ours: str) -> str:
    """Return the name that the client gave, with which the session is greeted again; *ours* where it cannot be said."""
    name = dict(attributes).get("HELO", "")
    return name if _is_sayable(name) and " " not in name else ours


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
