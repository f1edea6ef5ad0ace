"""All that a query finds, page by page, for whoever writes it somewhere else."""

from collections.abc import Iterator, Sequence

from angarium.events.port import EventStore, FoundMail, Happening, Whose
from angarium.query.nodes import Node

AT_ONCE = 500


def all_mail(store: EventStore, node: Node, scope: Whose) -> Iterator[list[FoundMail]]:
    """Yield what there is, newest first. What comes in meanwhile is not among it. Raises EventStoreError."""
    after: str | None = None
    while True:
        page = store.search(node, scope, limit=AT_ONCE, after=after)
        yield page.found
        if page.next is None:
            return
        after = page.next


def all_events(
    store: EventStore, node: Node, scope: Whose, *, after: int, upto: int, types: Sequence[str] = ()
) -> Iterator[list[Happening]]:
    """Yield what is numbered above *after* and up to *upto*, oldest first. Raises EventStoreError."""
    while True:
        found = store.log(node, scope, after=after, limit=AT_ONCE, types=types)
        yield [each for each in found if each.number <= upto]
        if len(found) < AT_ONCE or found[-1].number >= upto:
            return
        after = found[-1].number
