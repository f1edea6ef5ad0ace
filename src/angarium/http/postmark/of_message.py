"""What events tell of their message, found again."""

from angarium.core.ids import made_at, parse_id
from angarium.dialects.postmark.events import OfMessage, uuid_of
from angarium.events.port import FoundMail
from angarium.http.postmark.call import PostmarkCall
from angarium.query.nodes import Between, Equal, Node
from angarium.query.parser import all_of

_DAY_S = 86_400.0
_MOST_RECIPIENTS = 100


class MessageFinder:
    """Finds messages by their ids, each once; for the length of one answer."""

    def __init__(self, call: PostmarkCall) -> None:
        self._call = call
        self._found: dict[str, OfMessage] = {}

    def of(self, message: str | None) -> OfMessage:
        """Return what is known of a message, by its 32 hex digits; nothing but the id where it is gone. None: it is not
        known which one.
        """
        if message is None:
            return _nothing("", self._call)
        if message not in self._found:
            self._found[message] = self._look(message)
        return self._found[message]

    def _look(self, message: str) -> OfMessage:
        page = self._call.events.search(_named(message), self._call.whose, limit=1)
        if page.found:
            return of_message(page.found[0])
        return _nothing(uuid_of(message), self._call)


def of_message(mail: FoundMail) -> OfMessage:
    """Return what events tell of the message of *mail*."""
    return OfMessage(
        id=uuid_of(mail.message),
        server=mail.server,
        stream=mail.stream,
        tag=mail.tags[0] if mail.tags else "",
        sender=mail.author or mail.sender,
        subject=mail.subject,
        metadata=mail.metadata,
    )


def recipients_of(call: PostmarkCall, mail: FoundMail) -> list[FoundMail]:
    """Return the recipients of the message that *mail* is of, in order; the first ones, where there are very many."""
    page = call.events.search(_named(mail.message), call.whose, limit=_MOST_RECIPIENTS)
    return sorted(page.found, key=lambda each: each.index) or [mail]


def _named(message: str) -> Node:
    at = made_at(parse_id(message))  # a day or two are asked, and not all that are kept
    return all_of([Equal("id", message), Between("date", at - _DAY_S, at + _DAY_S)])


def _nothing(id: str, call: PostmarkCall) -> OfMessage:
    return OfMessage(id, call.server.id, "", "", "", "", {})
