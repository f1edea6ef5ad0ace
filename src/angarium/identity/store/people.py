"""The identity store: people, and the audit log."""

from typing import Any, Final

from sqlalchemy import Connection, delete, select

from angarium.identity import checks
from angarium.identity.checks import Check
from angarium.identity.records import Change, Person
from angarium.identity.secrets import hash_password
from angarium.identity.store import schema
from angarium.identity.store.accounts import fetch_account, owned_by
from angarium.identity.store.base import StoreBase, before_of, differing, row_of, said
from angarium.identity.store.rows import person_of
from angarium.sql.errors import Conflict, NotFound

_PERSON: Final[dict[str, Check]] = {"email": checks.email, "name": checks.text, "enabled": checks.flag}


class People(StoreBase):
    """People, who log in with an e-mail address and a password."""

    def create_person(self, account: int, email: str, name: str, password: str, *, actor: str) -> Person:
        """Make a person. Takes as long as `hash_password`. Raises NotFound, Invalid, Conflict."""
        email, name = checks.email("email", email), checks.text("name", name)
        hashed = hash_password(checks.password("password", password))
        with self._changing(actor) as change:
            owner = fetch_account(change.connection, account).id
            _check_email_is_free(change.connection, email)
            made = change.add(
                schema.people, account=owner, email=email, name=name, password=hashed, created_at=change.at
            )
            person = fetch_person(change.connection, made)
            change.note("create", f"person {made}", owner, after=said(person))
        return person

    def person(self, id_or_email: int | str) -> Person:
        """Return a person. Raises NotFound."""
        with self._reading() as connection:
            return fetch_person(connection, id_or_email)

    def people(self, account: int | None = None, after: int | None = None, limit: int = 100) -> list[Person]:
        """Return people, of one account or of all, by rising id."""
        query = select(schema.people).where(*owned_by(schema.people, account, after))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(schema.people.c.id).limit(checks.page(limit)))
            return [person_of(row) for row in rows.mappings()]

    def change_person(self, id: int, *, actor: str, **fields: Any) -> Person:
        """Change `email`, `name`, `enabled`. Raises NotFound, Invalid, Conflict."""
        with self._changing(actor) as change:
            person = fetch_person(change.connection, id)
            new = differing(person, fields, _PERSON)
            if not new:
                return person
            if "email" in new:
                _check_email_is_free(change.connection, new["email"])
            change.set(schema.people, person.id, **new)
            change.note("change", f"person {person.id}", person.account, before_of(person, new), new)
            return fetch_person(change.connection, person.id)

    def set_password(self, id: int, password: str, *, actor: str) -> Person:
        """Give a person another password; the old one is refused within a second. Raises NotFound, Invalid."""
        hashed = hash_password(checks.password("password", password))
        with self._changing(actor) as change:
            person = fetch_person(change.connection, id)
            change.set(schema.people, person.id, password=hashed)
            change.note("set password", f"person {person.id}", person.account)
        return person

    def delete_person(self, id: int, *, actor: str) -> None:
        """Delete a person. Raises NotFound."""
        with self._changing(actor) as change:
            person = fetch_person(change.connection, id)
            change.connection.execute(delete(schema.people).where(schema.people.c.id == person.id))
            change.note("delete", f"person {person.id}", person.account, before=said(person))


class Audit(StoreBase):
    """The audit log: who changed what, and when."""

    def audit(
        self,
        account: int | None = None,
        after: int | None = None,
        limit: int = 100,
        *,
        newest_first: bool = False,
    ) -> list[Change]:
        """Return changes, of one account or of all, by rising id, or by falling id with *newest_first*.

        The page begins behind the id *after*, in either direction. The id rises with the generation.
        """
        id, owner = schema.audit.c.id, schema.audit.c.account
        query = select(schema.audit).order_by(id.desc() if newest_first else id)
        if account is not None:
            query = query.where(owner == account)
        if after is not None:
            query = query.where(id < after if newest_first else id > after)
        with self._reading() as connection:
            rows = connection.execute(query.limit(checks.page(limit))).mappings()
            return [Change(**{name: row[name] for name in Change.__struct_fields__}) for row in rows]


def fetch_person(connection: Connection, id_or_email: int | str) -> Person:
    """Return a person by id or e-mail address. Raises NotFound."""
    if isinstance(id_or_email, int):
        return person_of(row_of(connection, schema.people, id_or_email, "person"))
    query = select(schema.people).where(schema.people.c.email == id_or_email.strip().lower())
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"person {id_or_email[:60]}")
    return person_of(row)


def _check_email_is_free(connection: Connection, email: str) -> None:
    if connection.scalar(select(schema.people.c.id).where(schema.people.c.email == email)):
        raise Conflict(f"{email} belongs to a person already; change that one, or take another address")
