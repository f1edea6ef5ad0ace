"""Managing webhooks: where an account is told of what happens to its mail."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from angarium.cli.identity.options import changed, yes_option
from angarium.cli.identity.pick import account_id, pick_account, pick_server
from angarium.cli.identity.store import (
    Opened,
    StorePlace,
    confirm,
    everything,
    open_store,
    say,
    store_options,
)
from angarium.cli.identity.words import lines, record
from angarium.cli.output import amount, print_json, print_lines, print_table
from angarium.cli.tables import Column, Row
from angarium.cli.times import read_time, when
from angarium.cli.webhooks.options import webhook_options, webhook_said
from angarium.cli.webhooks.words import LETTER_COLUMNS, WEBHOOK_COLUMNS, letter_row, trial_lines, webhook_row
from angarium.core.clock import SystemClock
from angarium.events.catalogue import KINDS
from angarium.events.place import has_events, open_event_store
from angarium.identity.webhooks import DIALECTS, TYPES, WatchedWebhook
from angarium.node.webhooks.trying import tried
from angarium.webhooks.desk import WebhookDesk
from angarium.webhooks.forms import FORMS
from angarium.webhooks.ledger import FILE_NAME, WebhookLedger
from angarium.webhooks.records import KeptLetter
from angarium.webhooks.trial import Trial


@click.group()
def webhooks_command() -> None:
    """Manage webhooks: URLs that are told of what happens to an account's mail. WEBHOOK is an id."""


@webhooks_command.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--account", help="Whose; needed when there are several.")
@click.option("--server", help="Only mail of this server, by id or name.")
@click.option("--stream", help="Only mail of this stream of the server.")
@click.option(
    "--dialect", type=click.Choice(DIALECTS), default="own", show_default=True, help="In whose words."
)
@webhook_options
@store_options
def add_command(
    name: str,
    url: str,
    account: str | None,
    server: str | None,
    stream: str | None,
    dialect: str,
    place: StorePlace,
    as_json: bool,
    **given: Any,
) -> None:
    """Have URL told of what happens, and show the secret that requests are signed with, the only time."""
    with open_store(place) as opened:
        whose = account_id(opened.store, account)
        of_server = None if server is None else pick_server(opened.store, server, whose)
        owner = of_server.account if of_server else pick_account(opened.store, account).id
        made, secret = opened.store.webhooks.create(
            owner,
            name,
            url,
            server=of_server.id if of_server else None,
            stream=stream,
            dialect=dialect,
            actor=opened.actor,
            **webhook_said(given),
        )
    text = f"webhook {made.id} made; its requests are signed with the secret {secret}"
    say(f"{text}\ntry it: angarium webhooks test {made.id}", as_json, {**record(made), "secret": secret})


@webhooks_command.command("list")
@click.option("--account", help="Only those of this account.")
@store_options
def list_command(account: str | None, place: StorePlace, as_json: bool) -> None:
    """List webhooks, and how they do."""
    with _opened(place) as (opened, desk):
        whose = account_id(opened.store, account)
        found = list(everything(lambda **page: opened.store.webhooks.page(whose, **page)))
        standings = desk.standings(found)
    if as_json:
        print_json([{**record(each), "standing": record(standings[each.id])} for each in found])
    else:
        print_table(WEBHOOK_COLUMNS, [webhook_row(each, standings[each.id]) for each in found])


@webhooks_command.command("show")
@click.argument("webhook", type=int)
@store_options
def show_command(webhook: int, place: StorePlace, as_json: bool) -> None:
    """Show a webhook, how it does, and what it answered last."""
    with _opened(place) as (opened, desk):
        found = opened.store.webhooks.get(webhook)
        standing = desk.standings([found])[found.id]
    if as_json:
        print_json({**record(found), "standing": record(standing)})
    else:
        now = time.time()
        print_lines([*lines(found, now), "", *lines(standing, now)[1:]])


@webhooks_command.command("types")
@store_options
def types_command(place: StorePlace, as_json: bool) -> None:
    """List what webhooks can be told of, and which dialects have words for it."""
    known = {type: [name for name, form in FORMS.items() if type in form.types] for type in TYPES}
    if as_json:
        print_json(known)
    else:
        columns = (Column("TYPE"), Column("DIALECTS"), Column("MEANS", flexible=True))
        print_table(
            columns, [Row([type, " ".join(names), KINDS[type].about]) for type, names in known.items()]
        )


@webhooks_command.command("change")
@click.argument("webhook", type=int)
@click.option("--name", help="A new name.")
@click.option("--url", help="A new URL.")
@click.option("--stream", help="Only mail of this stream of its server.")
@click.option(
    "--enabled/--disabled", default=None, help="Whether it is told; what happens meanwhile is told later."
)
@webhook_options
@store_options
def change_command(webhook: int, place: StorePlace, as_json: bool, **given: Any) -> None:
    """Change a webhook. Its dialect stays."""
    fields = changed(webhook_said(given))
    with open_store(place) as opened:
        made = opened.store.webhooks.change(webhook, actor=opened.actor, **fields)
    say(f"webhook {made.id} changed", as_json, record(made))


@webhooks_command.command("rotate")
@click.argument("webhook", type=int)
@click.option(
    "--overlap",
    type=float,
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How long the secret before holds beside it.",
)
@click.option("--end-old", is_flag=True, help="Make none; end the secret before the present one now.")
@store_options
def rotate_command(webhook: int, overlap: float, end_old: bool, place: StorePlace, as_json: bool) -> None:
    """Make a new secret and show it, the only time. Requests are signed with both for a while."""
    with open_store(place) as opened:
        store = opened.store.webhooks
        if end_old:
            made = store.end_old_secret(webhook, actor=opened.actor)
            say(
                f"requests of webhook {webhook} are signed with its newest secret alone",
                as_json,
                record(made),
            )
            return
        made, secret = store.rotate(webhook, overlap_s=overlap * 3_600, actor=opened.actor)
    until = made.old_secret_ends_at
    ends = f"; the one before holds until {when(until, time.time())}" if until is not None else ""
    say(f"the new secret of webhook {webhook} is {secret}{ends}", as_json, {**record(made), "secret": secret})


@webhooks_command.command("test")
@click.argument("webhook", type=int)
@click.option("--type", "type", type=click.Choice(TYPES), help="What it is told of.  [default: delivered]")
@store_options
def test_command(webhook: int, type: str | None, place: StorePlace, as_json: bool) -> None:
    """Tell a webhook of something that has never happened, and show what it answers. Fails if it does not take it."""
    with _opened(place) as (opened, desk):
        store = opened.store.webhooks
        watched = WatchedWebhook(store.get(webhook), store.secrets(webhook), 0)
        told = asyncio.run(_try(desk, watched, type))
    if as_json:
        print_json(record(told))
    else:
        print_lines(trial_lines(told))
    if not told.taken:
        raise SystemExit(1)


@webhooks_command.command("dead")
@click.argument("webhook", type=int)
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this one; may be given several times.")
@click.option("--replay", is_flag=True, help="Have them told once more.")
@click.option("--drop", is_flag=True, help="Forget them.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Rows.")
@yes_option
@store_options
def dead_command(
    webhook: int,
    ids: tuple[str, ...],
    replay: bool,
    drop: bool,
    limit: int,
    yes: bool,
    place: StorePlace,
    as_json: bool,
) -> None:
    """List what a webhook did not take however often it was tried; have it told once more, or forget it."""
    if replay and drop:
        raise click.UsageError("say --replay or --drop, not both")
    with _opened(place) as (opened, desk):
        opened.store.webhooks.get(webhook)
        there = len(ids) or desk.dead_count(webhook)
        if replay:
            done = desk.revive(webhook, ids or None)
            say(f"{amount(done, 'dead letter')} told once more, from now on", as_json, {"replayed": done})
        elif drop:
            confirm(f"forget {amount(there, 'dead letter')} of webhook {webhook}?", yes)
            done = desk.drop(webhook, ids or None)
            say(f"{amount(done, 'dead letter')} forgotten", as_json, {"dropped": done})
        else:
            _print_letters(desk.dead(webhook, limit), as_json)


@webhooks_command.command("batches")
@click.argument("webhook", type=int)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Rows.")
@store_options
def batches_command(webhook: int, limit: int, place: StorePlace, as_json: bool) -> None:
    """List what failed at least once in the last day, or waits, what has changed last first."""
    with _opened(place) as (opened, desk):
        opened.store.webhooks.get(webhook)
        found = desk.lately(webhook, limit)
    _print_letters(found, as_json)


@webhooks_command.command("replay")
@click.argument("webhook", type=int)
@click.option("--since", required=True, metavar="WHEN", help="2030-01-31, 2030-01-31T14:00, 3h or 2d ago.")
@click.option("--until", metavar="WHEN", help="[default: now]")
@store_options
def replay_command(webhook: int, since: str, until: str | None, place: StorePlace, as_json: bool) -> None:
    """Tell a webhook once more of all that happened in a window of time, with the ids that it has heard before."""
    now = time.time()
    begin, end = _time(since, now), now if until is None else _time(until, now)
    if begin >= end:
        raise click.UsageError("--since has to be before --until")
    with _opened(place) as (opened, desk):
        opened.store.webhooks.get(webhook)
        made = desk.replay(webhook, begin, end)
    text = f"webhook {webhook} is told once more of what happened from {when(begin, now)} to {when(end, now)}"
    say(text, as_json, {"replay": made})


@webhooks_command.command("delete")
@click.argument("webhook", type=int)
@yes_option
@store_options
def delete_command(webhook: int, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete a webhook. What it was not told yet it is never told."""
    with open_store(place) as opened:
        found = opened.store.webhooks.get(webhook)
        confirm(f"delete webhook {webhook}, {found.name}, {found.url}?", yes)
        opened.store.webhooks.delete(webhook, actor=opened.actor)
    say(f"webhook {webhook} deleted", as_json, {"deleted": webhook})


@contextmanager
def _opened(place: StorePlace) -> Iterator[tuple[Opened, WebhookDesk]]:
    """Open the store, and what is kept of webhooks."""
    with open_store(place) as opened:
        clock, has_log = SystemClock(), has_events(opened.config, opened.data)
        last = open_event_store(opened.config, opened.data).last if has_log else lambda: 0
        ledger = WebhookLedger(opened.data / FILE_NAME)
        try:
            yield opened, WebhookDesk(ledger, last, tried(lambda: opened.config, clock), clock)
        finally:
            ledger.close()


async def _try(desk: WebhookDesk, watched: WatchedWebhook, type: str | None) -> Trial:
    return await desk.try_out(watched, type)


def _time(text: str, now: float) -> float:
    try:
        return read_time(text, now)
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no time: {error}") from None


def _print_letters(found: list[KeptLetter], as_json: bool) -> None:
    if as_json:
        print_json(record(found))
    else:
        print_table(LETTER_COLUMNS, [letter_row(each) for each in found])
