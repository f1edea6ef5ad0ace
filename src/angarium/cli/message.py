"""Everything that is known of one message."""

import json
import time
from pathlib import Path
from typing import Any

import click

from angarium.cli.attempts import attempt_lines
from angarium.cli.called import message_called
from angarium.cli.client import NoNode
from angarium.cli.kept import tell_kept, timeline_of, with_facts
from angarium.cli.kept_text import erase_text, tell_text
from angarium.cli.options import Failure, data_option, finish, json_option
from angarium.cli.output import emphasised, print_json, print_lines, print_table, size, warn
from angarium.cli.tables import Cell, Column, Row, Toned
from angarium.cli.times import moment, relative
from angarium.cli.where import connect
from angarium.cli.words import STATE_TONES, next_try, recipient_lines
from angarium.core.operations import MessageHistory, RecipientRow
from angarium.events.port import Timeline

_RECIPIENT_COLUMNS = (
    Column("RECIPIENT", flexible=True),
    Column("STATE"),
    Column("BINDING", flexible=True, yields=True),
    Column("DOMAIN", flexible=True, yields=True),
    Column("TRIES", numeric=True),
    Column("NEXT TRY"),
)


@click.command()
@click.argument("message_id", metavar="ID|MESSAGE-ID|RECIPIENT")
@click.option("--raw", is_flag=True, help="Write the message itself, as it was received, where it is kept.")
@click.option("--body", is_flag=True, help="Write what the message says, decoded, where it is kept.")
@click.option(
    "--erase-text", "erases", is_flag=True, help="Erase what is kept of its text, from the disk as well."
)
@data_option
@json_option
def message_command(
    message_id: str, raw: bool, body: bool, erases: bool, data: Path | None, as_json: bool
) -> None:
    """Tell the story of a message: envelope, recipients, what happened, why it waits and what comes next.

    Of each attempt it says how far it came, over which connection, how long each answer was waited for and, where it
    failed, what was said. ID is the one that the node gave it, or enough of its beginning; MESSAGE-ID the field of that
    name, or enough of its beginning, with or without <>; RECIPIENT an address. What the node has forgotten, and what
    came back, is told as the recorder has kept it, also when no node runs.
    Exit code 1 when nobody knows the message, and when several are called so: they are named.

    The text of a message is kept for as long as its stream says (keep_body_days), and not where none says so.
    """
    message_id, data = message_called(message_id, data)
    if erases:
        erase_text(message_id, data)
        return
    if raw or body:
        tell_text(message_id, data, is_raw=raw)
        return
    history, timeline = _known(message_id, data)
    if timeline is not None and history.message is None:
        tell_kept(message_id, timeline, as_json)
        return
    if timeline is not None:
        history = with_facts(history, timeline)
    if as_json:
        print_json(history)
        finish(history.message is not None)
    if history.message is None:
        warn(history.problems)
        raise Failure(
            f"message {message_id} is not known: never accepted here, or finished and forgotten since"
        )
    print_lines(emphasised(_envelope(history.message)))
    _print_recipients(history.recipients)
    click.echo()
    for event in history.events:
        print_lines(event_lines(event))
    warn(history.problems)


def _known(message_id: str, data: Path | None) -> tuple[MessageHistory, Timeline | None]:
    """Return what the node knows and what was kept. Raises NoNode where no node runs and nothing was."""
    try:
        with connect(data) as client:
            history = client.call("message", {"id": message_id}, kind=MessageHistory)
    except NoNode:
        timeline = timeline_of(message_id, data) if data is not None else None
        if timeline is None:
            raise
        return MessageHistory(), timeline
    return history, timeline_of(message_id, client.data)


def _envelope(message: dict[str, Any]) -> list[str]:
    """Return the envelope as lines; only what is known of it."""
    if "received_at" not in message:
        return [f"message {message['id']}; its envelope is no longer known"]
    origin = message["origin"]
    came = f"{origin['protocol']} at listener {origin['listener']}"
    if origin["peer"]:
        came += f", from {origin['peer']} (HELO {origin['helo']}), session {origin['session']}"
    return [
        f"message {message['id']}, {size(message['size'])}, {message['lane']}, binding {message['binding']}",
        f"    received {moment(message['received_at'])}, {relative(message['received_at'], time.time())}",
        f"    from     <{message['sender']}>",
        f"    by       {came}",
        *_wishes(message),
    ]


def _wishes(message: dict[str, Any]) -> list[str]:
    """Return whose mail it is and what was asked for, where there is anything to tell."""
    options, copies = message.get("options") or {}, message.get("copies") or {}
    told = {
        "account": f"{message['account']}, server {message['server']}" if message.get("account") else "",
        "login": message.get("login") or "",
        "options": ", ".join(f"{name} {_shown(value)}" for name, value in options.items()),
        "copies": ", ".join(f"{address} ({role})" for address, role in copies.items()),
        "made of": message.get("submission") or "",
        "refused": message.get("refusal") or "",
    }
    return [f"    {name:8} {value}" for name, value in told.items() if value]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print_recipients(recipients: list[RecipientRow]) -> None:
    if not recipients:
        return
    click.echo()
    print_table(_RECIPIENT_COLUMNS, [_recipient(row) for row in recipients])


def _recipient(row: RecipientRow) -> Row:
    now = time.time()
    state = Toned(row.state, STATE_TONES.get(row.state, ""))
    cells: list[Cell] = [row.recipient, state, row.binding, row.domain, str(row.attempts), next_try(row, now)]
    return Row(cells, recipient_lines(row, now))


def event_lines(event: dict[str, Any]) -> list[Cell]:
    """Return one event: when, what, of whom, the reply, and how the attempt went."""
    words = [moment(event["at"]), event["type"].ljust(9), event["recipient"], event["reply"], event["note"]]
    said = "  ".join(word for word in words if word)
    lines: list[Cell] = [Toned(said, STATE_TONES.get(event["type"], "bright"))]
    if event["due_at"] is not None and event["type"] != "received":
        lines.append(f"    next try {moment(event['due_at'])}")
    return (
        [*lines, *(Toned(line, "dim") for line in attempt_lines(event["attempt"]))]
        if event["attempt"]
        else lines
    )
