"""Whether a message is the one that is looked for. Pure."""

import re
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache

from angarium.core.errors import AngariumError
from angarium.core.finding import Wanted
from angarium.core.ids import MessageId
from angarium.core.records import ForwardPath, Message
from angarium.mime.header import HeaderBlock
from angarium.mime.words import decode_words
from angarium.smtp.address import AddressError, domain_to_ascii

HEADER_BYTES = 65_536
"""So much of a text is looked at for its header."""
_ID_DIGITS = re.compile(r"[0-9a-f]{4,32}")
_HEX_DIGITS = 32

Head = Callable[[], bytes]
"""Returns the beginning of a message's text: its header and more, or b"" where it is not kept."""


class Addresses:
    """Mailboxes that are written as *text*: an address, a domain or a local part, `*` for any characters."""

    def __init__(self, text: str) -> None:
        text = text.strip().removeprefix("<").removesuffix(">").casefold()
        local, at, domain = text.rpartition("@")
        self._is_either = not at
        self._local = _glob(local if at else domain)
        self._domain = _glob(_ascii(domain))
        self._any_local = bool(at) and not local
        self._any_domain = bool(at) and not domain
        self._none = not text

    def match(self, address: str, domain: str) -> bool:
        """Whether a mailbox with *domain* in A-labels is one of them. Of the empty path only the empty text is true."""
        if self._none or not address:
            return self._none and not address
        local, _, written = address.casefold().rpartition("@")
        is_local = self._any_local or self._local(local)
        is_domain = self._any_domain or self._domain(domain) or self._domain(written)
        return is_local or is_domain if self._is_either else is_local and is_domain


def _glob(text: str) -> Callable[[str], bool]:
    if "*" not in text:
        return text.__eq__
    found = re.compile(translate(text.replace("[", "[[]").replace("?", "[?]"))).match
    return lambda each: found(each) is not None


@lru_cache(1024)
def _ascii(domain: str) -> str:
    try:
        return domain_to_ascii(domain).lower()
    except AddressError:
        return domain


class Matcher:
    """Compares messages with what is *wanted*. Raises AngariumError when that is no question."""

    def __init__(self, wanted: Wanted) -> None:
        self.first, self.last = _bounds(wanted)
        """No id below the one or above the other is wanted."""
        self._tests = [test for test in (_TESTS[name](getattr(wanted, name)) for name in _TESTS) if test]
        self._is_asked_for = Addresses(wanted.recipient or wanted.words)

    def match(self, message: Message, head: Head) -> bool:
        """Whether *message*, whose text begins with *head*, is wanted."""
        return self.first <= message.id <= self.last and all(test(message, head) for test in self._tests)

    def in_order(self, message: Message) -> list[int]:
        """Return the indices of the recipients, those that were asked for first."""
        asked = [not self._is_asked_for.match(path.address, path.domain) for path in message.recipients]
        return sorted(range(len(asked)), key=lambda index: (asked[index], index))


Test = Callable[[Message, Head], bool]


def _by_words(text: str) -> Test | None:
    if not text:
        return None
    tests = [_by_recipient(text), _by_sender(text), _by_tag(text), _by_message_id(text)]
    if _ID_DIGITS.fullmatch(text.replace("-", "").lower()):
        tests.append(_by_id(text))
    return lambda message, head: any(test(message, head) for test in tests if test is not None)


def _by_id(text: str) -> Test | None:
    digits = text.replace("-", "").lower()
    return (lambda message, head: message.id.hex().startswith(digits)) if text else None


def _by_recipient(text: str) -> Test | None:
    addresses = Addresses(text)

    def has(path: ForwardPath) -> bool:
        return addresses.match(path.address, path.domain)

    return (lambda message, head: any(map(has, message.recipients))) if text else None


def _by_sender(text: str) -> Test | None:
    addresses = Addresses(text)

    def test(message: Message, head: Head) -> bool:
        sender = message.reverse_path
        return addresses.match(sender, _ascii(sender.rpartition("@")[2].casefold()))

    return test if text else None


def _by_message_id(text: str) -> Test | None:
    beginning = text.strip().removeprefix("<").removesuffix(">")
    octets = beginning.encode()

    def test(message: Message, head: Head) -> bool:
        if octets not in message.trace and octets not in head():
            return False
        return message_id_of(message, head()).removeprefix("<").startswith(beginning)

    return test if text else None


def _by_tag(text: str) -> Test | None:
    wanted = text.casefold()
    return (
        (lambda message, head: any(tag.casefold() == wanted for tag in message.options.tags or ()))
        if text
        else None
    )


def _by_login(text: str) -> Test | None:
    wanted = text.casefold()

    def test(message: Message, head: Head) -> bool:
        login = message.login.casefold()
        return f" {wanted} " in f"{login} " if wanted.isdecimal() else wanted in login

    return test if text else None


_TESTS: dict[str, Callable[[str], Test | None]] = {
    "id": _by_id,
    "recipient": _by_recipient,
    "sender": _by_sender,
    "tag": _by_tag,
    "login": _by_login,
    "message_id": _by_message_id,
    "words": _by_words,
}
"""How a message is compared with each part of a question, the cheapest first."""


def _bounds(wanted: Wanted) -> tuple[MessageId, MessageId]:
    """Return the lowest and the highest id that may be wanted: ids begin with the time of reception."""
    digits, before = (text.replace("-", "").lower() for text in (wanted.id, wanted.before))
    if digits and not _ID_DIGITS.fullmatch(digits):
        raise AngariumError(
            f"{wanted.id!r} is not the beginning of a message id: 4 to 32 of the digits 0-9a-f"
        )
    if before and not _ID_DIGITS.fullmatch(before):
        raise AngariumError(f"{wanted.before!r} is not a message id, as a page of results ends with")
    first = max(digits.ljust(_HEX_DIGITS, "0"), _at(wanted.since, "").ljust(_HEX_DIGITS, "0"))
    last = min(digits.ljust(_HEX_DIGITS, "f"), _at(wanted.until, "").ljust(_HEX_DIGITS, "f"))
    if before:
        last = min(last, f"{max(0, int(before.ljust(_HEX_DIGITS, '0'), 16) - 1):032x}")
    return MessageId(bytes.fromhex(first)), MessageId(bytes.fromhex(last))


def _at(at: float | None, otherwise: str) -> str:
    return otherwise if at is None else f"{min(max(0, int(at * 1000)), (1 << 48) - 1):012x}"


def message_id_of(message: Message, head: bytes) -> str:
    """Return the Message-ID that a message leaves with, in its angle brackets; "" when it is not known."""
    return HeaderBlock.scan(message.trace + head).first(b"message-id")


def subject_of(head: bytes) -> str:
    """Return the subject in a message's header as text, "" when there is none."""
    return decode_words(HeaderBlock.scan(head).first(b"subject"))
