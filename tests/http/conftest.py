"""The manage API over a store of its own, asked without a socket."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import ErasureFolder
from angarium.events.news import StoredNews
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.store import RollupsReader
from angarium.events.sqlite.store import SqliteEventStore
from angarium.http.manage.routes import ManagePorts, make_manage_routes
from angarium.identity.domains.check import DomainReport, RecordCheck
from angarium.identity.domains.records import records_for
from angarium.identity.grants import GRANTS
from angarium.identity.records import Account, Domain
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder
from angarium.sql.errors import StoreError
from angarium.testing.webhook_desk import deaf_desk

NOON = 1_700_049_600.0
OPERATOR = "operator-key"
CUSTOMER = "customer-key"


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def pointers(self) -> dict[str, str]:
        """The errors of a problem: what is said of each field."""
        return {error["pointer"]: error["detail"] for error in self.json.get("errors", [])}


@dataclass(frozen=True)
class Key:
    """A key as the node would tell of it."""

    id: int
    name: str
    account: Account
    grants: frozenset[str]


@dataclass
class Keys:
    """The keys that are good; *down* makes the store one that does not answer."""

    known: dict[str, Key] = field(default_factory=dict)
    peers: list[str] = field(default_factory=list)
    down: bool = False

    async def authenticate(self, key: str, peer_ip: str) -> Key | None:
        self.peers.append(peer_ip)
        if self.down:
            raise StoreError("the test has pulled the plug")
        return self.known.get(key)


class Api:
    """Asks the application; without *key* nobody asks. *failure* is what came through to the server's log."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.failure: RuntimeError | None = None

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = OPERATOR,
        headers: dict[str, str] | None = None,
        raw: list[bytes] | None = None,
    ) -> Answer:
        sent = raw if raw is not None else [b"" if body is None else json.dumps(body).encode()]
        fields = {"authorization": f"Bearer {key}"} if key else {}
        fields.update(headers or {})
        return asyncio.run(self._ask(method, path, sent, fields))

    async def ask(self, method: str, path: str, *, key: str = OPERATOR) -> Answer:
        """Ask within a loop that runs already."""
        return await self._ask(method, path, [b""], {"authorization": f"Bearer {key}"})

    async def _ask(self, method: str, path: str, pieces: list[bytes], headers: dict[str, str]) -> Answer:
        name, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": name,
            "raw_path": name.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
            "client": ("192.0.2.7", 40_000),
            "server": ("127.0.0.1", 8080),
        }
        coming = [
            {"type": "http.request", "body": piece, "more_body": number + 1 < len(pieces)}
            for number, piece in enumerate(pieces)
        ]
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return coming.pop(0) if coming else await asyncio.get_running_loop().create_future()

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        try:
            await self._app(scope, receive, send)
        except RuntimeError as error:
            self.failure = error
        start = said[0]
        fields = {key.decode(): value.decode() for key, value in start["headers"]}
        return Answer(start["status"], fields, b"".join(message.get("body", b"") for message in said[1:]))


@pytest.fixture
def store(tmp_path: Path, quick_path: Path, migrated_file: Path) -> Iterator[IdentityStore]:
    database = open_database(f"sqlite:///{shutil.copy(migrated_file, quick_path)}")
    database.migrate()
    yield IdentityStore(database, KeyRing.load_or_create(tmp_path / "secrets.key"), lambda: NOON)
    database.close()


@pytest.fixture
def keys(store: IdentityStore) -> Keys:
    """The operator's key in account 1, and a customer's in account 2, which has all grants but node/manage."""
    first = store.accounts.create("default", actor="test")
    second = store.accounts.create("acme", actor="test")
    every = frozenset(GRANTS)
    theirs = every - {"node/manage"}
    operator, _ = store.credentials.create_api_key(first.id, "operator", every, actor="cli:root")
    customer, _ = store.credentials.create_api_key(second.id, "customer", theirs, actor="cli:root")
    return Keys(
        {
            OPERATOR: Key(operator.id, f'API key {operator.id} "operator"', first, every),
            CUSTOMER: Key(customer.id, f'API key {customer.id} "customer"', second, theirs),
        }
    )


@dataclass
class Checker:
    """A DNS in which everything is found, or with *finds* False nothing."""

    finds: bool = True

    async def __call__(self, domain: Domain) -> DomainReport:
        checks = [
            RecordCheck(record, "found") if self.finds else RecordCheck(record, "missing", (), "publish it")
            for record in records_for(domain, "mail.example.net")
        ]
        return DomainReport(domain.name, tuple(checks))


@pytest.fixture
def dns() -> Checker:
    return Checker()


MakeApi = Callable[[Any], Api]


@pytest.fixture
def make_api() -> MakeApi:
    """Makes a client of an application."""
    return Api


@pytest.fixture
def events(tmp_path: Path) -> Iterator[SqliteEventStore]:
    kept = SqliteEventStore(tmp_path / "events")
    yield kept
    kept.close()


@pytest.fixture
def news() -> StoredNews:
    return StoredNews()


@pytest.fixture
def texts(tmp_path: Path) -> Iterator[BodyStore]:
    kept = BodyStore(tmp_path / "texts")
    yield kept
    kept.close()


def made(store: Any, events: Any, texts: BodyStore, keys: Keys, dns: Checker, news: StoredNews) -> Starlette:
    reports = MailReporter(events, RollupsReader(events.folder / "none.sums"), lambda reason: "Hard")
    ports = ManagePorts(
        store,
        events,
        reports,
        news,
        texts,
        ErasureFolder(texts.folder.parent / "erasures"),
        dns,
        deaf_desk(texts.folder.parent),
        OrderShelf(orders_folder(texts.folder.parent)),
        lambda: "mail.example.net",
    )
    return Starlette(routes=make_manage_routes(ports, keys))


@pytest.fixture
def api_over(
    keys: Keys, dns: Checker, events: SqliteEventStore, texts: BodyStore, news: StoredNews
) -> MakeApi:
    """Makes the API over a store."""

    def make(store: Any) -> Api:
        return Api(made(store, events, texts, keys, dns, news))

    return make


@pytest.fixture
def app(
    store: IdentityStore,
    events: SqliteEventStore,
    texts: BodyStore,
    keys: Keys,
    dns: Checker,
    news: StoredNews,
) -> Starlette:
    """The API as an application, to be asked by something else."""
    return made(store, events, texts, keys, dns, news)


@pytest.fixture
def api(store: IdentityStore, api_over: MakeApi) -> Api:
    return api_over(store)
