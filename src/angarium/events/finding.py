"""The event store as one who knows messages: what `core.finding` asks for, as a query."""

from itertools import groupby

from angarium.core.finding import MOST_RECIPIENTS, Finding, FoundMessage, FoundRecipient, Progress, Wanted
from angarium.events.port import EventStore, FoundMail, Whose
from angarium.mime.addresses import ascii_domain
from angarium.query.nodes import Between, Equal, Like, Node, Phrase
from angarium.query.parser import all_of, any_of
from angarium.query.words import folded, words

_NOBODY = "<>"
_RECIPIENTS_AT_ONCE = 5_000
"""Of so many recipients it is looked which messages they are of."""


class EventSource:
    """Implements `MessageSource`. What it cannot look for finds nothing: logins, which are not kept, and no sender."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def find(self, wanted: Wanted, progress: Progress) -> Finding:
        """See `MessageSource.find`."""
        progress(0, 1)
        if wanted.login or wanted.sender == _NOBODY:
            return Finding([])
        limit = min(wanted.limit * MOST_RECIPIENTS, _RECIPIENTS_AT_ONCE)
        page = self._store.search(query_of(wanted), Whose(), limit=limit)
        by_message = [
            (name, list(mails)) for name, mails in groupby(page.found, key=lambda mail: mail.message)
        ]
        rows = [_message(name, mails) for name, mails in by_message[: wanted.limit]]
        is_cut = len(by_message) > wanted.limit or page.next is not None
        progress(1, 1)
        return Finding(rows, rows[-1].message if is_cut and rows else None)


def query_of(wanted: Wanted) -> Node:
    """Return what *wanted* asks for, without its limit and its login."""
    parts: list[Node] = []
    if text := wanted.words:
        named = [_begins("id", text), Equal("id", folded(text)), Equal("tag", folded(text))]
        parts.append(any_of([*named, *(node for field in ("to", "from") for node in _address(field, text))]))
    for field, text in (("to", wanted.recipient), ("from", wanted.sender)):
        parts += _address(field, text)
    if wanted.id:
        parts.append(_begins("id", wanted.id))
    if wanted.message_id:
        parts.append(Equal("id", folded(wanted.message_id)))
    if wanted.tag:
        parts.append(Equal("tag", folded(wanted.tag)))
    if wanted.since is not None or wanted.until is not None:
        parts.append(Between("date", wanted.since, wanted.until, takes_high=True))
    if wanted.before:
        parts.append(Between("id", None, folded(wanted.before)))
    return all_of(parts)


def _begins(field: str, text: str) -> Node:
    return Like(field, "".join(f"\\{char}" if char in "*?\\" else char for char in folded(text)) + "*")


def _address(field: str, text: str) -> list[Node]:
    """Return what an address or a domain asks for, by its words, in either spelling; nothing where there are none."""
    local, at, domain = text.rpartition("@")
    spellings = dict.fromkeys((text, f"{local}{at}{ascii_domain(domain) or domain}"))
    found = [each for spelling in spellings if (each := _spelt(field, spelling)) is not None]
    return [any_of(found)] if found else []


def _spelt(field: str, text: str) -> Node | None:
    """Return what a text with stars asks for: beside a star a word may go on."""
    found: list[Node] = []
    pieces = text.split("*")
    for place, piece in enumerate(pieces):
        is_cut, is_open = place > 0 and piece[:1].isalnum(), place + 1 < len(pieces) and piece[-1:].isalnum()
        whole = tuple(words(piece))[is_cut:]
        if whole:
            found.append(Phrase(field, whole, is_open))
    return all_of(found) if found else None


def _message(name: str, mails: list[FoundMail]) -> FoundMessage:
    first = mails[0]
    states: dict[str, int] = {}
    for mail in mails:
        states[mail.state] = states.get(mail.state, 0) + 1
    return FoundMessage(
        message=name,
        received_at=first.at,
        sender=first.sender,
        recipients=[
            FoundRecipient(mail.address, mail.state, mail.changed_at, mail.attempts, mail.due_at, mail.reply)
            for mail in mails[:MOST_RECIPIENTS]
        ],
        recipient_count=len(mails),
        states=states,
        message_id=first.message_id,
        subject=first.subject,
        size=first.size,
        tags=first.tags,
        account=first.account,
        server=first.server,
    )
