"""Mailings that are made into messages in the background: how far they have come; pause, resume, cancel."""

import time
from pathlib import Path

import click

from angarium.cli.options import Failure, data_option, json_option
from angarium.cli.output import print_json, print_lines, print_table
from angarium.cli.tables import Cell, Column, Row, Tone, Toned
from angarium.cli.times import moment, relative
from angarium.cli.where import find_folder
from angarium.core.ids import MessageId
from angarium.engine.orders.look import CampaignView, Wish, campaign, campaigns, wish
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder

_TONES: dict[str, Tone] = {"making": "good", "paused": "warn", "cancelled": "bad"}
_COLUMNS = (
    Column("CAMPAIGN"),
    Column("NAME", flexible=True),
    Column("STATE"),
    Column("RECIPIENTS", numeric=True),
    Column("MADE", numeric=True),
    Column("CAME"),
)
_DONE: dict[Wish, str] = {
    "pause": "is paused: no more messages are made of it, and those that wait are held",
    "resume": "goes on",
    "cancel": "is cancelled: what has not left will not",
}

campaign_argument = click.argument("campaign_id", metavar="CAMPAIGN")


@click.group()
def campaigns_command() -> None:
    """Mailings with many recipients: how far they have come; pause, resume and cancel them.

    A mailing with more than 5,000 recipients is taken as a whole and made into messages of 1,000 in the background.
    """


@campaigns_command.command("list")
@data_option
@json_option
def list_command(data: Path | None, as_json: bool) -> None:
    """List mailings of the last 30 days, the newest first."""
    found = campaigns(_shelf(data), time.time())
    if as_json:
        print_json([each._asdict() for each in found])
    elif not found:
        print_lines(["no campaigns; mail with more than 5,000 recipients of their own becomes one"])
    else:
        print_table(_COLUMNS, [Row(_cells(each)) for each in found])


@campaigns_command.command("show")
@campaign_argument
@data_option
@json_option
def show_command(campaign_id: str, data: Path | None, as_json: bool) -> None:
    """Show how far CAMPAIGN has come."""
    shelf = _shelf(data)
    found = campaign(shelf, _known(shelf, campaign_id), time.time())
    if as_json:
        print_json(found._asdict())
        return
    came = f"came {moment(found.made_at)}" + (f", leaves {moment(found.due_at)}" if found.due_at else "")
    print_lines(
        [
            Toned(f"{found.name or found.id}: {found.state}", "bright"),
            f"{_counted(found)} recipients, {found.made} of {_slices(found)} messages in the queue or gone",
            came + (f", to the list {found.list}" if found.list else ""),
            *([f"what became of it: angarium report --campaign {found.name}"] if found.name else []),
        ]
    )


def _command(name: Wish, sentence: str) -> None:
    @campaigns_command.command(name, help=sentence)
    @campaign_argument
    @data_option
    @json_option
    def command(campaign_id: str, data: Path | None, as_json: bool) -> None:
        shelf = _shelf(data)
        id = _known(shelf, campaign_id)
        problem = wish(shelf, id, name)
        if problem:
            raise Failure(f"{campaign_id}: {problem}")
        found = campaign(shelf, id, time.time())
        if as_json:
            print_json(found._asdict())
        else:
            print_lines([f"{found.name or found.id} {_DONE[name]}"])


_command("pause", "Make no more messages of CAMPAIGN, and hold those that wait.")
_command("resume", "Go on with CAMPAIGN where it was paused.")
_command("cancel", "End CAMPAIGN: what has not left will not.")


def _shelf(data: Path | None) -> OrderShelf:
    folder = data or find_folder()
    if not folder.is_dir():
        raise Failure(f"there is no data folder {folder}; say where it is by --data")
    return OrderShelf(orders_folder(folder))


def _known(shelf: OrderShelf, text: str) -> MessageId:
    """Return the order that *text* names by its id, the beginning of it, or its name."""
    known = shelf.ids()
    found = [each for each in known if each.hex().startswith(text.lower())]
    if not found:
        found = [each for each in known if shelf.order(each).name == text]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(f"there is no campaign {text}; `angarium campaigns list` shows them")
    raise Failure(f"{len(found)} campaigns are called {text}; name one by its id")


def _cells(found: CampaignView) -> list[Cell]:
    return [
        found.id,
        found.name,
        Toned(found.state, _TONES.get(found.state, "")),
        _counted(found),
        f"{found.made}/{_slices(found)}",
        relative(found.made_at, time.time()),
    ]


def _counted(found: CampaignView) -> str:
    return f"{found.recipients:,}" if found.recipients is not None else "?"


def _slices(found: CampaignView) -> str:
    return str(found.slices) if found.slices is not None else "?"
