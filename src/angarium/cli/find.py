"""Finding messages by what is remembered of them: in the spool's files, and so without the node's help."""

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import click
import msgspec

from angarium.cli.event_store import events_of
from angarium.cli.options import Failure, data_option, finish, json_option
from angarium.cli.output import amount, print_json, print_lines, print_table, progress_of, warn
from angarium.cli.tables import Cell, Column, Row, Toned, clean
from angarium.cli.times import read_time, relative, upcoming, when
from angarium.cli.where import find_folder, spool_folder
from angarium.cli.words import STATE_TONES
from angarium.core.finding import (
    MOST_FOUND,
    Finding,
    FoundMessage,
    FoundRecipient,
    Wanted,
    merge_findings,
)
from angarium.events.finding import EventSource
from angarium.events.port import EventStore
from angarium.spool.offline.find import SpoolSource

_COLUMNS = (
    Column("RECEIVED", yields=True),
    Column("MESSAGE"),
    Column("SENDER", flexible=True, yields=True),
    Column("RECIPIENT", flexible=True),
    Column("STATE", flexible=True),
)
_CANDIDATES = 10
_NICE = 10
"""Reading beside a busy node must not cost its mail anything."""

T = TypeVar("T")


class PastTime(click.ParamType[float]):
    """A time of the past, as people write it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return epoch seconds."""
        try:
            return value if isinstance(value, float) else read_time(value, time.time())
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("words", required=False, default="", metavar="[ANYTHING]")
@click.option(
    "--recipient", default="", metavar="ADDRESS", help="An address, a domain, or what is before the @."
)
@click.option("--sender", default="", metavar="ADDRESS", help="The same of the envelope sender; <> for none.")
@click.option("--message-id", default="", help="The Message-ID field or its beginning, with or without <>.")
@click.option("--id", "id_", default="", help="The beginning of the id that the node gave it.")
@click.option("--tag", default="", help="A tag that was given with it.")
@click.option("--login", default="", help="A part of the name of who logged in, or its number.")
@click.option(
    "--since", type=PastTime(), metavar="TIME", help="Received at or after it: 2h, 14:30, 2026-01-31 …"
)
@click.option("--until", type=PastTime(), metavar="TIME", help="Received before or at it.")
@click.option("--before", default="", metavar="ID", help="Older than this message: the next page.")
@click.option(
    "--limit", type=click.IntRange(1, MOST_FOUND), default=20, show_default=True, help="How many to list."
)
@data_option
@json_option
def find_command(id_: str, data: Path | None, as_json: bool, **given: Any) -> None:
    """List messages by what is remembered of them, newest first. Exit code 1 when none is found.

    ANYTHING is the beginning of an id or of a Message-ID, an address, a domain, or a tag; of several options all must
    be true. In addresses * stands for any characters, and a domain is found in either of its spellings, bücher.example
    or xn--bcher-kva.example.

    The spool's files are read, and what the recorder has kept (without logins, Message-IDs whole, addresses by their
    words); how far back that reaches is said where it is not all. It works without a node, and costs a running one
    nothing.
    """
    wanted = Wanted(id=id_, **given)
    if wanted == Wanted(limit=wanted.limit):
        raise click.UsageError("say what to look for: ANYTHING, --recipient, --sender, --since …")
    finding = look(wanted, data)
    if as_json:
        print_json(finding)
    else:
        _print(wanted, finding)
    finish(bool(finding.rows))


def look(wanted: Wanted, data: Path | None) -> Finding:
    """Return what is found in the spool of *data*, and in the event store beside it, which looks further back. Raises
    NoNode when there is no folder, SpoolError and EventStoreError.
    """
    folder = data or find_folder()
    source = SpoolSource(spool_folder(folder))
    with progress_of("reading the spool") as progress:
        found = _behind_all_others(lambda: source.find(wanted, progress))
    store = None if wanted.login else events_of(folder)
    if store is None:
        return found
    merged = merge_findings([found, EventSource(store).find(wanted, _unheard)], wanted.limit)
    return msgspec.structs.replace(merged, complete_since=_earlier(found.complete_since, store))


def _unheard(done: int, of: int) -> None:
    """Hear of progress that is no more than a moment."""


def _earlier(complete_since: float | None, store: EventStore) -> float | None:
    """Return since when all is known: the event store may reach back further than the spool."""
    first = next(iter(store.sizes()), None)
    if complete_since is None or first is None:
        return complete_since
    return min(complete_since, datetime.fromisoformat(f"{first}T00:00:00+00:00").timestamp())


def _behind_all_others(work: Callable[[], T]) -> T:
    """Do *work* in a thread that all else on the machine goes before. Ctrl-C does not wait for it."""
    done: SimpleQueue[T | Exception] = SimpleQueue()

    def carry_out() -> None:
        # of Linux, where each thread has a priority of its own
        os.setpriority(
            os.PRIO_PROCESS, threading.get_native_id(), max(_NICE, os.getpriority(os.PRIO_PROCESS, 0))
        )
        try:
            done.put(work())
        except Exception as error:  # noqa: BLE001 - raised by who waits for it
            done.put(error)

    threading.Thread(target=carry_out, daemon=True).start()
    result = done.get()
    if isinstance(result, Exception):
        raise result
    return result


def _print(wanted: Wanted, finding: Finding) -> None:
    now = time.time()
    if finding.rows:
        print_table(_COLUMNS, [found_row(row, now) for row in finding.rows])
    else:
        print_lines(["Nothing was found."])
    if finding.next:
        print_lines([f"There are more; --before {finding.next} lists older ones"])
    print_lines(Toned(line, "dim") for line in _horizon(wanted, finding, now))
    warn(finding.problems)


def _horizon(wanted: Wanted, finding: Finding, now: float) -> list[str]:
    since = finding.complete_since
    if since is None or (wanted.since is not None and wanted.since >= since):
        return []
    at = f"{when(since, now)} ({relative(since, now)})"
    return [
        f"What ended before {at} is not seen any more: its journal segments were used again "
        "(Spool_History_Segments keeps more of them)."
    ]


def found_row(found: FoundMessage, now: float) -> Row:
    """Return a message as a row of the listing."""
    first = found.recipients[0]
    more = found.recipient_count - 1
    cells: list[Cell] = [
        when(found.received_at, now),
        found.message,
        f"<{found.sender}>",
        first.recipient + (f" and {more} more" if more else ""),
        _states(found),
    ]
    told = [f"subject: {found.subject}", f"Message-ID: {found.message_id}", f"tags: {', '.join(found.tags)}"]
    details: list[Cell] = [line for line in told if line.partition(": ")[2]]
    if found.login:
        details.append(f"by {found.login}")
    return Row(cells, [*details, *_replies(found.recipients, now)])


def _states(found: FoundMessage) -> Cell:
    named = {state or "ended": count for state, count in found.states.items()}
    worst = max(named, key=lambda state: ("good", "", "warn", "bad").index(STATE_TONES.get(state, "")))
    text = ", ".join(f"{count} {state}" for state, count in named.items()) if len(named) > 1 else worst
    return Toned(text, STATE_TONES.get(worst, ""))


def _replies(recipients: list[FoundRecipient], now: float) -> list[Cell]:
    """Return what was said last to the first of the recipients, and when it is tried again."""
    first = recipients[0]
    lines: list[Cell] = []
    if first.last_reply:
        at = f" at {when(first.at, now)} ({relative(first.at, now)})" if first.at is not None else ""
        lines.append(Toned(f"last reply{at}: {first.last_reply}"))
    if first.state == "queued" and first.attempts and first.due_at is not None:
        lines.append(f"next try {when(first.due_at, now)} ({upcoming(first.due_at, now)})")
    return lines


def id_beginning(text: str, folder: Path) -> str:
    """Return the id of the one message in *folder* whose id or Message-ID begins with *text*, or that is to it.

    Raises Failure when there is none, or when several fit: then it names them.
    """
    digits = text.replace("-", "").lower()
    is_hex = len(digits) >= 4 and all(char in "0123456789abcdef" for char in digits)
    questions = [Wanted(id=digits, limit=_CANDIDATES)] if is_hex else []
    questions.append(Wanted(message_id=text, limit=_CANDIDATES))
    if "@" in text:
        questions.append(Wanted(recipient=text, limit=_CANDIDATES))
    for wanted in questions:
        finding = look(wanted, folder)
        if len(finding.rows) == 1:
            return finding.rows[0].message
        if finding.rows:
            raise Failure(_several(text, finding, is_recipient=bool(wanted.recipient)))
    raise Failure(
        f"no message is known whose id or Message-ID begins with {text!r}, nor one to it; "
        "`angarium find` looks for more"
    )


def _several(text: str, finding: Finding, *, is_recipient: bool) -> str:
    now = time.time()
    count = f"more than {_CANDIDATES} messages" if finding.next else amount(len(finding.rows), "message")
    how = "are to {!r}; name one by its id" if is_recipient else "begin with {!r}; write more of one"
    lines = [f"{count} {how.format(text)}:"]
    for row in finding.rows:
        more = f" and {row.recipient_count - 1} more" if row.recipient_count > 1 else ""
        to = f"<{row.sender}> to <{row.recipients[0].recipient}>{more}"
        lines.append(f"  {row.message}  {when(row.received_at, now)}  {clean(to)}")
    return "\n".join(lines)
