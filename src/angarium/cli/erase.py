"""A recipient taken out of what is kept of what has happened."""

import time
from pathlib import Path

import click

from angarium.cli.event_store import events_config_option, events_of, open_events
from angarium.cli.identity.options import yes_option
from angarium.cli.identity.store import confirm, say
from angarium.cli.options import Failure, data_option, json_option
from angarium.cli.output import amount, progress_of
from angarium.cli.where import find_folder, running_nodes
from angarium.events.erasing import Erasure, ErasureFolder, work
from angarium.events.place import erasures_folder
from angarium.events.port import EventStore, Whose
from angarium.query.nodes import Phrase
from angarium.query.words import folded, words

_LOOK_S = 0.2
_MOST = 10_000


@click.command()
@click.argument("address")
@click.option("--dry-run", is_flag=True, help="Count only.")
@yes_option
@events_config_option
@data_option
@json_option
def erase_command(
    address: str, dry_run: bool, yes: bool, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Erase what is kept of the mail to ADDRESS: the address, replies, and what was written to nobody else.

    What is counted stays, and so does mail that is still queued, and a suppression. The recorder does it, a day at a
    time, beside all else; where no node runs, this command does it. What was asked for is done, whoever is stopped.
    """
    if not words(address) or "@" not in address:
        raise Failure(f"{address!r} is no address; write it whole, as in bob@example.com")
    store, folder = open_events(data, config), data or find_folder()
    count = _count(store, address)
    if dry_run:
        _tell(
            {"address": address, "found": count, "dry_run": True},
            f"{amount(count, 'recipient')} would be erased",
            as_json,
        )
        return
    confirm(
        f"All that is kept of {address} is erased, and nothing brings it back: {amount(count, 'recipient')}.",
        yes,
    )
    erasures = ErasureFolder(erasures_folder(folder))
    ended = _wait(erasures, erasures.ask(address, time.time()), folder, config)
    _tell(
        {"address": address, "found": ended.found, "dry_run": False},
        f"{amount(ended.found, 'recipient')} erased",
        as_json,
    )


def _count(store: EventStore, address: str) -> int:
    found, after = 0, None
    while True:
        page = store.search(Phrase("to", tuple(words(address))), Whose(), limit=_MOST, after=after)
        found += sum(folded(mail.address) == folded(address) for mail in page.found)
        after = page.next
        if after is None:
            return found


def _wait(erasures: ErasureFolder, name: str, folder: Path, config: Path | None) -> Erasure:
    """Wait until a request has ended, and do it where nobody else does."""
    with progress_of("erasing") as progress:
        while True:
            erasure = erasures.read(name)
            if erasure is None:
                raise Failure("somebody took the request away; ask again")
            progress(len(erasure.done), erasure.days or 1)
            if erasure.has_ended:
                erasures.forget(name)
                return erasure
            if erasure.problem:
                raise Failure(f"it is tried again, and did not go on: {erasure.problem}")
            if folder.resolve() in [node.resolve() for node in running_nodes()]:
                time.sleep(_LOOK_S)
            elif (store := events_of(folder, config)) is not None:
                _do(erasures, store)


def _do(erasures: ErasureFolder, store: EventStore) -> None:
    for _ in work(erasures, store, time.time()):
        pass


def _tell(said: dict[str, object], text: str, as_json: bool) -> None:
    say(text, as_json, said)
