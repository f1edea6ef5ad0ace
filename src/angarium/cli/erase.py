"""A recipient taken out of what is kept of what has happened."""

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from angarium.cli.identity.options import yes_option
from angarium.cli.identity.pick import account_id
from angarium.cli.identity.store import Opened, StorePlace, confirm, open_store, say, store_options
from angarium.cli.options import Failure
from angarium.cli.output import amount, progress_of
from angarium.cli.where import running_nodes
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import Eraser, Erasure, ErasureFolder
from angarium.events.place import erasures_folder, has_events, open_event_store, texts_folder
from angarium.events.port import EventStore, Whose
from angarium.query.nodes import Phrase
from angarium.query.words import folded, words

if TYPE_CHECKING:  # see cli.identity.store
    from angarium.identity.store.store import IdentityStore

_LOOK_S = 0.2
_MOST = 10_000


@click.command()
@click.argument("address")
@click.option("--account", metavar="ACCOUNT", help="Only of the mail of this account, by name or id.")
@click.option("--dry-run", is_flag=True, help="Count only.")
@yes_option
@store_options
def erase_command(
    address: str, account: str | None, dry_run: bool, yes: bool, place: StorePlace, as_json: bool
) -> None:
    """Erase what is kept of the mail to ADDRESS: the address, replies, and what was written to nobody else, and texts.

    What is counted stays, and so does mail that is still queued, and a suppression. The recorder does it, a day at a
    time, beside all else; where no node runs, this command does it. What was asked for is done, whoever is stopped.
    """
    if not words(address) or "@" not in address:
        raise Failure(f"{address!r} is no address; write it whole, as in bob@example.com")
    with open_store(place) as opened:
        _erase(opened, address, account, dry_run, yes, as_json)


def _erase(
    opened: Opened, address: str, account: str | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    owner, mark = account_id(opened.store, account), opened.store.erasures.mark(address)
    if not has_events(opened.config, opened.data):
        raise Failure(f"there is no event store in {opened.data}; a node makes one when it runs")
    events = open_event_store(opened.config, opened.data)
    count = _count(events, address, owner)
    told: dict[str, object] = {"address": address, "recipient": mark, "dry_run": dry_run}
    called = f"; the audit log calls it recipient {mark}"
    if dry_run:
        say(f"{amount(count, 'recipient')} would be erased{called}", as_json, {**told, "found": count})
        return
    whose = "" if owner is None else f" of account {owner}"
    confirm(
        f"All that is kept of {address}{whose} is erased, and nothing brings it back: {amount(count, 'recipient')}.",
        yes,
    )
    erasures = ErasureFolder(erasures_folder(opened.data))
    opened.store.erasures.asked(mark, owner, actor=opened.actor)
    number = erasures.ask(
        Erasure(address=address, asked_at=time.time(), by=opened.actor, mark=mark, account=owner)
    )
    ended = _wait(erasures, number, opened, events)
    say(
        f"{amount(ended.found, 'recipient')} erased, and {amount(ended.texts, 'kept text')}{called}",
        as_json,
        {**told, "id": number, "found": ended.found, "texts": ended.texts},
    )


def _count(store: EventStore, address: str, account: int | None) -> int:
    found, after = 0, None
    while True:
        page = store.search(Phrase("to", tuple(words(address))), Whose(account), limit=_MOST, after=after)
        found += sum(folded(mail.address) == folded(address) for mail in page.found)
        after = page.next
        if after is None:
            return found


def _wait(erasures: ErasureFolder, number: int, opened: Opened, events: EventStore) -> Erasure:
    """Wait until a request has ended, and do it where nobody else does."""
    with progress_of("erasing") as progress:
        while True:
            erasure = erasures.read(number)
            if erasure is None:
                raise Failure("somebody took the request away; ask again")
            progress(len(erasure.done), erasure.days or 1)
            if erasure.ended_at is not None:
                return erasure
            if erasure.problem:
                raise Failure(f"erasure {number} is tried again, and did not go on: {erasure.problem}")
            if opened.data.resolve() in [node.resolve() for node in running_nodes()]:
                time.sleep(_LOOK_S)
            else:
                _do(erasures, opened, events)


def _do(erasures: ErasureFolder, opened: Opened, events: EventStore) -> None:
    texts = BodyStore(texts_folder(opened.data))
    for _ in Eraser(erasures, events, texts, partial(_tell, opened.store)).work(time.time()):
        pass


def _tell(store: "IdentityStore", number: int, erasure: Erasure) -> None:
    store.lists.erase(erasure.address, account=erasure.account, actor=erasure.by)
    store.erasures.ended(
        erasure.mark, erasure.account, number, erasure.found, erasure.texts, actor=erasure.by
    )
