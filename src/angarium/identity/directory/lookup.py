"""Questions to the identity store, put by one thread of a worker.

A `Lookup` belongs to that thread and is used by no other. It keeps what is the same for all logins of an account
(`Household`), so that a login costs two questions and a thousand logins share one set of streams and domains. It
notices itself when the store has moved on, before each answer: what it returns is never older than its `seen`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import Connection, RowMapping, func, select

from angarium.core.bounded import Bounded
from angarium.identity.directory.changes import Era, News
from angarium.identity.forms import LoginQuestion
from angarium.identity.grants import implied
from angarium.identity.principal import Key, Principal, Seen, principal_of_credential, principal_of_person
from angarium.identity.records import Account, Credential, Person, Server, Stream
from angarium.identity.store import schema
from angarium.sql.database import Database
from angarium.sql.rows import record_of

_BATCH = 500

_CREDENTIALS = schema.credentials
_PEOPLE = schema.people


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody who was looked up, and what proves that it is they. Nothing of a secret is shown by `repr`.

    *digest* is that of a credential's secret, *password* a person's argon2 hash, *scram* and *sealed* what is kept for
    challenges.
    """

    principal: Principal
    digest: bytes = field(default=b"", repr=False)
    password: str = field(default="", repr=False)
    scram: str | None = field(default=None, repr=False)
    sealed: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Household:
    """An account with what its logins have in common; a server is read when it is first asked for."""

    account: Account
    verified_domains: frozenset[str]
    return_paths: Mapping[str, str]
    tracking_urls: Mapping[str, str]
    first_server: int | None
    servers: dict[int, tuple[Server, Mapping[str, Stream]]] = field(default_factory=dict)


class Lookup:
    """Asks the store who somebody is. Every method may raise StoreError."""

    def __init__(self, database: Database, era: Era, households: int = 10_000) -> None:
        self._database = database
        self._era = era
        self._households: Bounded[int, Household] = Bounded(households)
        self._seen: Seen = (0, -1)

    def news(self, since: Seen | None) -> News:
        """Return what changed after *since*; None: it is the first time."""
        with self._database.reading() as connection:
            self._catch_up(connection)
            if since == self._seen:
                return News(self._seen, {})
            return News(self._seen, self._changed(connection, since))

    def find(self, question: LoginQuestion) -> Found | None:
        """Return whom *question* means, or None. That the secret is right is not said by that."""
        with self._database.reading() as connection:
            self._catch_up(connection)
            if question.by == "email":
                return self._person(connection, question.value)
            return self._credential(connection, question)

    def reload(self, keys: Iterable[Key]) -> dict[Key, Principal]:
        """Return those of *keys* that are still there, as they are now."""
        wanted = list(keys)
        with self._database.reading() as connection:
            self._catch_up(connection)
            people = [id for kind, id in wanted if kind == "person"]
            others = [id for kind, id in wanted if kind != "person"]
            found = [
                self._of_person(connection, row).principal
                for batch in _batches(people)
                for row in connection.execute(select(_PEOPLE).where(_PEOPLE.c.id.in_(batch))).mappings()
            ]
            found += [
                self._of_credential(connection, row).principal
                for batch in _batches(others)
                for row in connection.execute(
                    select(_CREDENTIALS).where(_CREDENTIALS.c.id.in_(batch))
                ).mappings()
            ]
        return {principal.key: principal for principal in found}

    def _catch_up(self, connection: Connection) -> None:
        """Forget what changed since the last question."""
        value = generation(connection)
        if value < self._seen[1]:
            self._era.number += 1
        seen = (self._era.number, value)
        if seen == self._seen:
            return
        changed = self._changed(connection, self._seen, upto=seen)
        self._seen = seen
        if changed is None:
            self._households.clear()
        for account in changed or ():
            self._households.pop(account)

    def _changed(
        self, connection: Connection, since: Seen | None, upto: Seen | None = None
    ) -> dict[int, Seen] | None:
        """Return whose accounts changed after *since*, and when last; None: any may have."""
        era, value = upto or self._seen
        if since is None or since[0] != era or since[1] < 0:
            return None
        audit = schema.audit.c
        span = (audit.generation > since[1]) & (audit.generation <= value)
        told = connection.scalar(select(func.count(audit.generation.distinct())).where(span))
        if told != value - since[1]:  # something changed of which the audit log says nothing (any more)
            return None
        last = select(audit.owner, func.max(audit.generation)).where(span).group_by(audit.owner)
        found = {account: (era, number) for account, number in connection.execute(last).all()}
        return None if None in found else found

    def _credential(self, connection: Connection, question: LoginQuestion) -> Found | None:
        column = _CREDENTIALS.c.digest if question.by == "digest" else _CREDENTIALS.c.username
        value = question.digest if question.by == "digest" else question.value
        row = connection.execute(select(_CREDENTIALS).where(column == value)).mappings().one_or_none()
        if row is None or row["kind"] not in question.kinds:
            return None
        return self._of_credential(connection, row)

    def _person(self, connection: Connection, email: str) -> Found | None:
        row = connection.execute(select(_PEOPLE).where(_PEOPLE.c.email == email)).mappings().one_or_none()
        return None if row is None else self._of_person(connection, row)

    def _of_credential(self, connection: Connection, row: RowMapping) -> Found:
        credential = record_of(row, Credential)
        household = self._household(connection, credential.account)
        server, streams = self._server(connection, household, credential.server)
        principal = principal_of_credential(
            credential,
            household.account,
            server,
            streams,
            grants=implied(credential.grants),
            verified_domains=household.verified_domains,
            return_paths=household.return_paths,
            tracking_urls=household.tracking_urls,
            digest=row["digest"],
            seen=self._seen,
        )
        return Found(
            principal, row["digest"], scram=row["scram"], sealed=row["sealed"] if row["challenge"] else None
        )

    def _of_person(self, connection: Connection, row: RowMapping) -> Found:
        person = record_of(row, Person)
        household = self._household(connection, person.account)
        server, streams = self._server(connection, household, None)
        principal = principal_of_person(
            person,
            household.account,
            server,
            streams,
            password=row["password"],
            verified_domains=household.verified_domains,
            return_paths=household.return_paths,
            tracking_urls=household.tracking_urls,
            seen=self._seen,
        )
        return Found(principal, password=row["password"])

    def _household(self, connection: Connection, account: int) -> Household:
        found = self._households.get(account)
        if found is None:
            found = _household(connection, account)
            self._households.put(account, found)
        return found

    def _server(
        self, connection: Connection, household: Household, server: int | None
    ) -> tuple[Server | None, Mapping[str, Stream]]:
        """Return a server with its streams; None: the account's first one, if there is any."""
        server = server if server is not None else household.first_server
        if server is None:
            return None, _NO_STREAMS
        if server not in household.servers:
            household.servers[server] = _server(connection, server)
        return household.servers[server]


def generation(connection: Connection) -> int:
    """Return how often the store was changed."""
    return connection.scalar(select(schema.generation.c.value)) or 0


_NO_STREAMS: Mapping[str, Stream] = MappingProxyType({})


def _household(connection: Connection, account: int) -> Household:
    where = schema.accounts.c.id == account
    row = connection.execute(select(schema.accounts).where(where)).mappings().one()
    first = select(func.min(schema.servers.c.id)).where(schema.servers.c.account == account)
    domains = schema.domains.c
    query = select(schema.domains).where(
        domains.account == account, domains.enabled, domains.verified_at.is_not(None)
    )
    verified = connection.execute(query).all()
    paths = {
        each.name: each.return_path for each in verified if each.return_path and each.return_path_seen_at
    }
    urls = {
        each.name: f"{'https' if each.tracking_https else 'http'}://{each.tracking}"
        for each in verified
        if each.tracking and each.tracking_seen_at
    }
    return Household(
        record_of(row, Account),
        frozenset(each.name for each in verified),
        MappingProxyType(paths),
        MappingProxyType(urls),
        connection.scalar(first),
    )


def _server(connection: Connection, server: int) -> tuple[Server, Mapping[str, Stream]]:
    row = connection.execute(select(schema.servers).where(schema.servers.c.id == server)).mappings().one()
    found = connection.execute(select(schema.streams).where(schema.streams.c.server == server)).mappings()
    streams = {stream.id: stream for stream in (record_of(row, Stream) for row in found)}
    return record_of(row, Server), MappingProxyType(streams)


def _batches(ids: list[int]) -> list[list[int]]:
    return [ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH)]
