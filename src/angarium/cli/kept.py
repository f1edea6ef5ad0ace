"""What the recorder has kept of a message: all, where the node has forgotten it, else what it never knew."""

import time
from pathlib import Path
from typing import Any

import msgspec

from angarium.cli.attempts import attempt_lines
from angarium.cli.event_store import events_of
from angarium.cli.output import print_json, print_lines, print_table, size
from angarium.cli.tables import Cell, Column, Row, Toned
from angarium.cli.times import moment, relative
from angarium.cli.where import find_folder
from angarium.cli.words import STATE_TONES
from angarium.core.ids import parse_id
from angarium.core.operations import MessageHistory, RecipientRow
from angarium.events.port import FoundMail, Happening, Timeline, Whose

_COLUMNS = (Column("RECIPIENT", flexible=True), Column("STATE"), Column("TRIES", numeric=True))


def timeline_of(message_id: str, data: Path | None) -> Timeline | None:
    """Return what the event store has of a message. Raises EventStoreError."""
    store = events_of(data or find_folder())
    return None if store is None else store.timeline(parse_id(message_id), Whose())


def tell_kept(message_id: str, timeline: Timeline, as_json: bool) -> None:
    """Print what the event store has of a message."""
    if as_json:
        print_json(timeline)
    else:
        _print(message_id, timeline)


def with_facts(history: MessageHistory, timeline: Timeline) -> MessageHistory:
    """Return what the node knows of a message with what it does not: what was said, who has read it, what came back,
    what is too long ago. By a late bounce a recipient is worse off than the node knows.
    """
    late = {mail.address: mail for mail in timeline.recipients if mail.state == "bounced"}
    return msgspec.structs.replace(
        history,
        recipients=[_worsened(row, late.get(row.recipient)) for row in history.recipients],
        events=_together(history.events, [_as_event(each) for each in timeline.happenings]),
    )


def _together(told: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what happened as the node tells it and as it was kept, each once, in order."""
    found = {_key(each): each for each in told}
    for event in kept:
        known = found.get(_key(event))
        found[_key(event)] = (
            event if known is None else {**known, "attempt": event["attempt"] or known.get("attempt")}
        )
    return sorted(found.values(), key=lambda event: float(event["at"]))


def _key(event: dict[str, Any]) -> tuple[str, int, str]:
    """Return what tells an event from others, however fine its time was kept."""
    return event["type"], round(event["at"] * 1000), event["recipient"]


def _as_event(happening: Happening) -> dict[str, Any]:
    details = happening.details
    why = happening.reason or str(details.get("why") or details.get("type") or "")
    return {
        "type": happening.type,
        "at": happening.at,
        "recipient": happening.address,
        "state": "",
        "due_at": details.get("due_at"),
        "reply": happening.reply,
        "note": details.get("note") or (f"({why})" if why else ""),
        "attempt": details.get("attempt"),
        "details": {
            name: value for name, value in details.items() if name not in ("due_at", "note", "attempt")
        },
    }


def _worsened(row: RecipientRow, late: FoundMail | None) -> RecipientRow:
    if late is None or row.state != "delivered":
        return row
    return msgspec.structs.replace(
        row, state="bounced", last_reply=late.reply, last_reply_at=late.changed_at, last_host=""
    )


def _print(message_id: str, timeline: Timeline) -> None:
    for mail in timeline.recipients[:1]:
        print_lines(_envelope(message_id, mail))
    print_table(_COLUMNS, [_recipient(mail) for mail in timeline.recipients])
    addresses = {mail.index: mail.address for mail in timeline.recipients}
    print_lines(line for each in timeline.happenings for line in _lines(each, addresses))


def _envelope(message_id: str, mail: FoundMail) -> list[Cell]:
    return [
        Toned(f"message {message_id}, {size(mail.size)}, as the recorder has kept it", "bright"),
        f"    received {moment(mail.at)}, {relative(mail.at, time.time())}, at listener {mail.listener}",
        *(
            [f"    {mail.note}"]
            if mail.note
            else [f"    from     <{mail.sender}>", f"    subject  {mail.subject}"]
        ),
    ]


def _recipient(mail: FoundMail) -> Row:
    state = Toned(mail.state, STATE_TONES.get(mail.state, ""))
    cells: list[Cell] = [mail.address or mail.note or "-", state, str(mail.attempts)]
    return Row(cells, [Toned(mail.reply)] if mail.reply else [])


def _lines(happening: Happening, addresses: dict[int, str]) -> list[Cell]:
    of = "" if happening.index is None else addresses.get(happening.index, "")
    reason = f"({happening.reason})" if happening.reason else ""
    words = (moment(happening.at), happening.type.ljust(9), of, happening.reply, reason)
    said: list[Cell] = [
        Toned("  ".join(word for word in words if word), STATE_TONES.get(happening.type, "bright"))
    ]
    attempt = happening.details.get("attempt")
    return said + [Toned(line, "dim") for line in (attempt_lines(attempt) if attempt else ())]
