"""Managing people, who have an e-mail address and a password."""

import time
from typing import Any

import click

from angarium.cli.identity.options import changed, page_options, yes_option
from angarium.cli.identity.pick import account_id, pick_account, pick_person
from angarium.cli.identity.store import Place, confirm, open_store, read_password, say, store_options
from angarium.cli.output import clean, print_json, print_table


@click.group()
def people_command() -> None:
    """Manage people. PERSON is an id or an e-mail address. Passwords are typed, or read from standard input."""


@people_command.command("create")
@click.argument("email")
@click.option("--name", default="", help="What they are called.")
@click.option("--account", help="Whose; needed when there are several.")
@store_options
def create_command(email: str, name: str, account: str | None, place: Place, as_json: bool) -> None:
    """Make a person; asks for the password."""
    from angarium.cli.identity.words import record

    with open_store(place) as opened:
        owner = pick_account(opened.store, account)
        made = opened.store.create_person(owner.id, email, name, read_password(), actor=opened.actor)
    say(f"person {made.id} {made.email} of account {owner.name} made", as_json, record(made))


@people_command.command("list")
@click.option("--account", help="Those of this account only.")
@page_options
@store_options
def list_command(account: str | None, limit: int, after: int | None, place: Place, as_json: bool) -> None:
    """List people."""
    from angarium.cli.identity.words import PERSON_COLUMNS, person_row, record

    with open_store(place) as opened:
        found = opened.store.people(account_id(opened.store, account), after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(PERSON_COLUMNS, [person_row(person, time.time()) for person in found])


@people_command.command("show")
@click.argument("person")
@store_options
def show_command(person: str, place: Place, as_json: bool) -> None:
    """Show a person."""
    from angarium.cli.identity.words import lines, record

    with open_store(place) as opened:
        found = pick_person(opened.store, person)
    if as_json:
        print_json(record(found))
    else:
        click.echo("\n".join(map(clean, lines(found, time.time()))))


@people_command.command("change")
@click.argument("person")
@click.option("--name", help="A new name.")
@click.option("--email", help="A new e-mail address.")
@store_options
def change_command(person: str, name: str | None, email: str | None, place: Place, as_json: bool) -> None:
    """Change a person's name or e-mail address."""
    _change(person, changed({"name": name, "email": email}), "changed", place, as_json)


@people_command.command("password")
@click.argument("person")
@store_options
def password_command(person: str, place: Place, as_json: bool) -> None:
    """Set a new password; asks for it. The old one is refused within a second."""
    from angarium.cli.identity.words import record

    with open_store(place) as opened:
        found = pick_person(opened.store, person)
        opened.store.set_password(found.id, read_password("New password"), actor=opened.actor)
    say(f"person {found.id} {found.email} has a new password", as_json, record(found))


@people_command.command("disable")
@click.argument("person")
@store_options
def disable_command(person: str, place: Place, as_json: bool) -> None:
    """Let a person log in no more."""
    _change(person, {"enabled": False}, "disabled", place, as_json)


@people_command.command("enable")
@click.argument("person")
@store_options
def enable_command(person: str, place: Place, as_json: bool) -> None:
    """Let a person log in again."""
    _change(person, {"enabled": True}, "enabled", place, as_json)


def _change(person: str, fields: dict[str, Any], done: str, place: Place, as_json: bool) -> None:
    from angarium.cli.identity.words import record

    with open_store(place) as opened:
        found = pick_person(opened.store, person)
        made = opened.store.change_person(found.id, actor=opened.actor, **fields)
    say(f"person {made.id} {made.email} {done}", as_json, record(made))


@people_command.command("delete")
@click.argument("person")
@yes_option
@store_options
def delete_command(person: str, yes: bool, place: Place, as_json: bool) -> None:
    """Delete a person."""
    with open_store(place) as opened:
        found = pick_person(opened.store, person)
        confirm(f"Person {found.email} is deleted.", yes)
        opened.store.delete_person(found.id, actor=opened.actor)
    say(f"person {found.email} deleted", as_json, {"deleted": found.id})
