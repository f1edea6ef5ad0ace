"""People in the identity store."""

from typing import Any, Final

from sqlalchemy import Connection, delete, select

from angarium.identity import checks
from angarium.identity.fields import checks_of
from angarium.identity.records import Person
from angarium.identity.secrets import hash_password
from angarium.identity.store import schema
from angarium.identity.store.accounts import fetch_account, owned_by
from angarium.sql.changes import ChangeLog
from angarium.sql.checks import checked, differing
from angarium.sql.errors import Conflict, NotFound
from angarium.sql.rows import before_of, record_of, row_of, said

_NEW: Final = checks_of(Person, "new")
_CHANGE: Final = checks_of(Person, "change")


class People:
    """People, who log in with an e-mail address and a password."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def create(
        self, account: int, email: str, name: str, password: str, *, actor: str, **fields: Any
    ) -> Person:
        """Make a person with the *fields* of `Person` that a new one may have. Takes as long as `hash_password`.

        Raises NotFound, Invalid, Conflict.
        """
        new = checked({"email": email, "name": name, **fields}, _NEW)
        new["password"] = hash_password(checks.password("password", password))
        with self._log.changing(actor) as change:
            owner = fetch_account(change.connection, account).id
            _check_email_is_free(change.connection, new["email"])
            made = change.add(schema.people, account=owner, created_at=change.at, **new)
            person = fetch_person(change.connection, made)
            change.note("create", f"person {made}", owner, after=said(person))
        return person

    def get(self, id_or_email: int | str) -> Person:
        """Return a person. Raises NotFound."""
        with self._log.reading() as connection:
            return fetch_person(connection, id_or_email)

    def page(self, account: int | None = None, after: int | None = None, limit: int = 100) -> list[Person]:
        """Return people, of one account or of all, by rising id."""
        query = select(schema.people).where(*owned_by(schema.people, account, after))
        with self._log.reading() as connection:
            rows = connection.execute(query.order_by(schema.people.c.id).limit(checks.page(limit)))
            return [record_of(row, Person) for row in rows.mappings()]

    def change(self, id: int, *, actor: str, **fields: Any) -> Person:
        """Change the *fields* of `Person` that can be changed. Raises NotFound, Invalid, Conflict."""
        with self._log.changing(actor) as change:
            person = fetch_person(change.connection, id)
            new = differing(person, fields, _CHANGE)
            if not new:
                return person
            if "email" in new:
                _check_email_is_free(change.connection, new["email"])
            change.set(schema.people, person.id, **new)
            change.note("change", f"person {person.id}", person.account, before_of(person, new), new)
            return fetch_person(change.connection, person.id)

    def set_password(self, id: int, password: str, *, actor: str) -> Person:
        """Give a person another password; the old one is refused within a second, and their sessions on the pages are
        over. Raises NotFound, Invalid.
        """
        hashed = hash_password(checks.password("password", password))
        with self._log.changing(actor) as change:
            person = fetch_person(change.connection, id)
            change.set(schema.people, person.id, password=hashed)
            change.connection.execute(delete(schema.sessions).where(schema.sessions.c.person == person.id))
            change.note("set password", f"person {person.id}", person.account)
        return person

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a person. Raises NotFound."""
        with self._log.changing(actor) as change:
            person = fetch_person(change.connection, id)
            change.connection.execute(delete(schema.people).where(schema.people.c.id == person.id))
            change.note("delete", f"person {person.id}", person.account, before=said(person))


def fetch_person(connection: Connection, id_or_email: int | str) -> Person:
    """Return a person by id or e-mail address. Raises NotFound."""
    if isinstance(id_or_email, int):
        return record_of(row_of(connection, schema.people, id_or_email, "person"), Person)
    query = select(schema.people).where(schema.people.c.email == id_or_email.strip().lower())
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"person {id_or_email[:60]}")
    return record_of(row, Person)


def _check_email_is_free(connection: Connection, email: str) -> None:
    if connection.scalar(select(schema.people.c.id).where(schema.people.c.email == email)):
        raise Conflict(f"{email} belongs to a person already; change that one, or take another address")
