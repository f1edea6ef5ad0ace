"""Managing people, who have an e-mail address and a password."""

import time
from typing import Any

import click

from angarium.cli.identity.examples import login_link
from angarium.cli.identity.options import changed, field_options, page_options, yes_option
from angarium.cli.identity.pick import account_id, pick_account, pick_person
from angarium.cli.identity.store import (
    StorePlace,
    confirm,
    open_store,
    read_password,
    say,
    store_options,
)
from angarium.cli.identity.words import PERSON_COLUMNS, lines, person_row, record
from angarium.cli.options import Failure
from angarium.cli.output import print_json, print_lines, print_table
from angarium.identity.records import Person
from angarium.identity.roles import NO_ROLE


@click.group()
def people_command() -> None:
    """Manage people. PERSON is an id or an e-mail address. Passwords are typed, or read from standard input."""


@people_command.command("create")
@click.argument("email")
@field_options(Person, "new")
@click.option("--account", help="Whose; needed when there are several.")
@store_options
def create_command(
    email: str, name: str | None, account: str | None, place: StorePlace, as_json: bool, **given: Any
) -> None:
    """Make a person; asks for the password."""
    fields = {field: value for field, value in given.items() if value is not None}
    with open_store(place) as opened:
        owner, people = pick_account(opened.store, account), opened.store.people
        made = people.create(owner.id, email, name or "", read_password(), actor=opened.actor, **fields)
    say(f"person {made.id} {made.email} of account {owner.name} made", as_json, record(made))


@people_command.command("list")
@click.option("--account", help="Those of this account only.")
@page_options
@store_options
def list_command(
    account: str | None, limit: int, after: int | None, place: StorePlace, as_json: bool
) -> None:
    """List people."""
    with open_store(place) as opened:
        found = opened.store.people.page(account_id(opened.store, account), after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(PERSON_COLUMNS, [person_row(person, time.time()) for person in found])


@people_command.command("show")
@click.argument("person")
@store_options
def show_command(person: str, place: StorePlace, as_json: bool) -> None:
    """Show a person."""
    with open_store(place) as opened:
        found = pick_person(opened.store, person)
    if as_json:
        print_json(record(found))
    else:
        print_lines(lines(found, time.time()))


@people_command.command("change")
@click.argument("person")
@field_options(Person, "change")
@store_options
def change_command(person: str, place: StorePlace, as_json: bool, **given: Any) -> None:
    """Change a person's name or e-mail address."""
    _change(person, changed(given), "changed", place, as_json)


@people_command.command("password")
@click.argument("person")
@store_options
def password_command(person: str, place: StorePlace, as_json: bool) -> None:
    """Set a new password; asks for it. The old one is refused within a second."""
    with open_store(place) as opened:
        found = pick_person(opened.store, person)
        opened.store.people.set_password(found.id, read_password("New password"), actor=opened.actor)
    say(f"person {found.id} {found.email} has a new password", as_json, record(found))


@people_command.command("link")
@click.argument("person")
@store_options
def link_command(person: str, place: StorePlace, as_json: bool) -> None:
    """Print a link that logs a person in to the pages, once and within 15 minutes. Older ones are good no more."""
    with open_store(place) as opened:
        found = pick_person(opened.store, person)
        if found.role == NO_ROLE:
            raise Failure(f"{found.email} has no role; angarium people change {found.email} --role viewer")
        secret = opened.store.sessions.make_link(found.id, actor=opened.actor)
        link = login_link(opened.config, secret)
    say(link, as_json, {"person": found.id, "link": link})


@people_command.command("disable")
@click.argument("person")
@store_options
def disable_command(person: str, place: StorePlace, as_json: bool) -> None:
    """Let a person log in no more."""
    _change(person, {"enabled": False}, "disabled", place, as_json)


@people_command.command("enable")
@click.argument("person")
@store_options
def enable_command(person: str, place: StorePlace, as_json: bool) -> None:
    """Let a person log in again."""
    _change(person, {"enabled": True}, "enabled", place, as_json)


def _change(person: str, fields: dict[str, Any], done: str, place: StorePlace, as_json: bool) -> None:
    with open_store(place) as opened:
        found = pick_person(opened.store, person)
        made = opened.store.people.change(found.id, actor=opened.actor, **fields)
    say(f"person {made.id} {made.email} {done}", as_json, record(made))


@people_command.command("delete")
@click.argument("person")
@yes_option
@store_options
def delete_command(person: str, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete a person."""
    with open_store(place) as opened:
        found = pick_person(opened.store, person)
        confirm(f"Person {found.email} is deleted.", yes)
        opened.store.people.delete(found.id, actor=opened.actor)
    say(f"person {found.email} deleted", as_json, {"deleted": found.id})
