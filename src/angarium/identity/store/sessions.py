"""Sessions of people on the pages, and links that begin one."""

import secrets
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from angarium.identity.records import Person
from angarium.identity.roles import NO_ROLE
from angarium.identity.secrets import digest_of, hash_password, verify_password
from angarium.identity.sessions import IDLE_S, LINK_S, LONGEST_S, PageSession
from angarium.identity.store import schema
from angarium.identity.store.accounts import fetch_account
from angarium.identity.store.people import fetch_person
from angarium.sql.changes import ChangeLog
from angarium.sql.database import Database
from angarium.sql.errors import NotFound
from angarium.sql.rows import record_of

_MINUTE_S: Final = 60.0
_LONGEST_TEXT: Final = 200


class PageSessions:
    """Who is logged in. Secrets are kept as digests: nobody who reads the store is logged in by that."""

    def __init__(self, database: Database, log: ChangeLog) -> None:
        self._database = database
        self._log = log

    @cached_property
    def _nobodys(self) -> str:
        return hash_password(secrets.token_hex())

    def person_with(self, email: str, password: str) -> Person | None:
        """Return who has that address and password and may log in, None when nobody does. As slow for either."""
        query = select(schema.people).where(schema.people.c.email == email.strip().lower())
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        is_right = verify_password(row["password"] if row is not None else self._nobodys, password)
        person = record_of(row, Person) if row is not None and is_right else None
        return person if person is not None and _may_log_in(person) else None

    def make_link(self, person: int, *, actor: str) -> str:
        """Return a new secret that logs *person* in once, within `LINK_S`; older ones are good no more.

        Raises NotFound.
        """
        secret = secrets.token_urlsafe(32)
        with self._log.changing(actor) as change:
            found = fetch_person(change.connection, person)
            change.connection.execute(
                delete(schema.login_links).where(schema.login_links.c.person == found.id)
            )
            row = {"digest": digest_of(secret), "person": found.id, "ends_at": change.at + LINK_S}
            change.connection.execute(insert(schema.login_links).values(row))
            change.note("make login link", f"person {found.id}", found.account)
        return secret

    def use_link(self, secret: str, *, peer: str, agent: str) -> str | None:
        """Begin a session by a link, and return its secret; None: the link is none, was used, or is too old."""
        table = schema.login_links
        with self._log.changing("login link") as change:
            used = (
                delete(table)
                .where(table.c.digest == digest_of(secret))
                .returning(table.c.person, table.c.ends_at)
            )
            row = change.connection.execute(used).first()
            person = fetch_person(change.connection, row.person) if row is not None else None
            if row is None or person is None or row.ends_at <= change.at or not _may_log_in(person):
                return None
            begun = _begin(change.connection, person, peer, agent, change.at)
            change.note("log in", f"person {person.id}", person.account, after={"peer": peer, "by": "link"})
        return begun

    def begin(self, person: Person, *, peer: str, agent: str) -> str:
        """Begin a session and return its secret."""
        with self._log.changing(_name(person)) as change:
            begun = _begin(change.connection, person, peer, agent, change.at)
            change.note(
                "log in", f"person {person.id}", person.account, after={"peer": peer, "by": "password"}
            )
        return begun

    def find(self, secret: str, now: float) -> PageSession | None:
        """Return the session with that secret; None: there is none, it is over, or its person may not log in now.

        That it was used is noted, by the minute.
        """
        with self._database.reading() as connection:
            session = _session(connection, secret)
        if session is None or session.is_over(now) or not _may_log_in(session.person):
            return None
        if now - session.seen_at > _MINUTE_S:
            with self._database.writing() as connection:
                table = schema.sessions
                connection.execute(update(table).where(table.c.id == session.id).values(seen_at=now))
        return session

    def of_person(self, person: int) -> list[PageSession]:
        """Return the sessions of a person, the newest first. Raises NotFound."""
        table = schema.sessions
        with self._database.reading() as connection:
            found = fetch_person(connection, person)
            account = fetch_account(connection, found.account)
            rows = connection.execute(
                select(table).where(table.c.person == person).order_by(table.c.id.desc())
            ).mappings()
            return [_session_of(row, found, account.name) for row in rows]

    def end(self, session: int, *, actor: str) -> None:
        """End a session. Raises NotFound."""
        with self._log.changing(actor) as change:
            ended = delete(schema.sessions).where(schema.sessions.c.id == session)
            person = change.connection.scalar(ended.returning(schema.sessions.c.person))
            if person is None:
                raise NotFound(f"session {session}")
            change.note("log out", f"person {person}", fetch_person(change.connection, person).account)

    def forget_old(self, now: float) -> None:
        """Delete what is over."""
        table = schema.sessions
        with self._database.writing() as connection:
            connection.execute(
                delete(table).where((table.c.seen_at < now - IDLE_S) | (table.c.began_at < now - LONGEST_S))
            )
            connection.execute(delete(schema.login_links).where(schema.login_links.c.ends_at < now))


def _begin(connection: Connection, person: Person, peer: str, agent: str, now: float) -> str:
    secret = secrets.token_urlsafe(32)
    row = {
        "digest": digest_of(secret),
        "person": person.id,
        "began_at": now,
        "seen_at": now,
        "peer": peer[:_LONGEST_TEXT],
        "agent": agent[:_LONGEST_TEXT],
    }
    connection.execute(insert(schema.sessions).values(row))
    return secret


def _session(connection: Connection, secret: str) -> PageSession | None:
    query = select(schema.sessions).where(schema.sessions.c.digest == digest_of(secret))
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    person = fetch_person(connection, int(row["person"]))
    return _session_of(row, person, fetch_account(connection, person.account).name)


def _session_of(row: RowMapping, person: Person, account: str) -> PageSession:
    told = {name: row[name] for name in ("id", "began_at", "seen_at", "peer", "agent")}
    return PageSession(person=person, account_name=account, **told)


def _may_log_in(person: Person) -> bool:
    return person.enabled and person.role != NO_ROLE


def _name(person: Person) -> str:
    return f'person:{person.id} "{person.email}"'
