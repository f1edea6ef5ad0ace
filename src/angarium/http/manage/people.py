"""The manage API: people, who have an e-mail address and a password."""

from angarium.http.manage.bodies import PersonChange, PersonNew, changes, said
from angarium.http.manage.call import AccountQuery, Call
from angarium.http.manage.views import Page, PersonView, person_view
from angarium.identity import checks
from angarium.identity.grants import GRANTS
from angarium.identity.records import Person
from angarium.identity.roles import ROLES


def list_people(call: Call, query: AccountQuery) -> Page[PersonView]:
    """List people."""
    rows = call.store.people.page(call.listed(query.account), after=query.after, limit=query.limit + 1)
    return call.page(rows, query, person_view, lambda row: row.id)


def create_person(call: Call, body: PersonNew) -> PersonView:
    """Make a person, who may then send by SMTP: only by a key that may itself."""
    account = call.account_of(body.account)
    call.may_let_send()
    fields = {name: value for name, value in said(body).items() if name != "account"}
    _may_make(call, fields.get("role"))
    return person_view(call.store.people.create(account, actor=call.actor, **fields))


def show_person(call: Call, person: int) -> PersonView:
    """Show a person."""
    return person_view(_seen(call, person))


def change_person(call: Call, person: int, body: PersonChange) -> PersonView:
    """Change a person; a new password holds from then on."""
    found = _seen(call, person)
    call.may_let_send()
    fields = changes(body, found)
    _may_make(call, found.role)
    _may_make(call, fields.get("role"))
    password = fields.pop("password", None)
    if password is not None:
        checks.password("password", password)  # before anything is changed
    if fields:
        found = call.store.people.change(person, actor=call.actor, **fields)
    if password is not None:
        call.store.people.set_password(person, password, actor=call.actor)
    return person_view(found)


def delete_person(call: Call, person: int) -> None:
    """Delete a person."""
    _seen(call, person)
    call.store.people.delete(person, actor=call.actor)


def _may_make(call: Call, role: str | None) -> None:
    """Raise HttpProblem when somebody of that role may do more than this key."""
    if role is not None:
        call.may_grant((ROLES[role].grants if role in ROLES else frozenset()) & GRANTS.keys())


def _seen(call: Call, person: int) -> Person:
    found = call.store.people.get(person)
    call.sees(found.account, f"person {person}")
    return found
