"""Postmark's API over stores of its own, asked without a socket: a server of account 2 with its token and key."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from angarium.events.erasing import ErasureFolder
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.store import RollupsReader
from angarium.http.postmark.routes import PostmarkPorts, make_postmark_app
from angarium.identity.directory.api_keys import KEYS_AND_TOKENS, ApiKeys
from angarium.identity.grants import GRANTS
from angarium.identity.store.place import open_database
from angarium.testing.clock import ManualClock
from angarium.testing.happenings import START

HOUR_S = 3600.0


class Tokens:
    """Implements TokenKeeper over the store."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def principal_of(self, token: str, peer_ip: str) -> Any:
        return await asyncio.to_thread(self._keys.principal_of, token, peer_ip, START)


@dataclass
class Postmark:
    """The API as somebody with the token of a server, or the key of an account, sees it."""

    api: Any
    store: Any
    account: int
    server: int
    token: str
    key: str

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return self._ask("X-Postmark-Server-Token", self.token, method, path, body, **more)

    def as_account(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return self._ask("X-Postmark-Account-Token", self.key, method, path, body, **more)

    def _ask(self, header: str, token: str, method: str, path: str, body: Any, **more: Any) -> Any:
        headers = {header: token, "Content-Type": "application/json", **more.pop("headers", {})}
        return self.api(method, path, body, key=None, headers=headers, **more)


@pytest.fixture
def postmark(store, quick_path, migrated_file, events, texts, dns, make_api):
    """The API for the customer; there is another account before it."""
    store.accounts.create("default", actor="test")
    account = store.accounts.create("acme", actor="test").id
    server = store.servers.create(account, "shop", actor="test").id
    _, token = store.credentials.create_server_token(server, "t", actor="test")
    grants = frozenset(GRANTS) - {"node/manage"}
    _, key = store.credentials.create_api_key(account, "k", grants, actor="test")
    reports = MailReporter(events, RollupsReader(events.folder / "none.sums"), lambda reason: "Hard")
    erasures = ErasureFolder(texts.folder.parent / "erasures")
    ports = PostmarkPorts(
        store, events, reports, texts, erasures, dns, lambda: "mail.example.net", ManualClock(START + HOUR_S)
    )
    database = open_database(f"sqlite:///{quick_path / migrated_file.name}")
    app = make_postmark_app(ports, Tokens(ApiKeys(database, KEYS_AND_TOKENS)))
    yield Postmark(make_api(app), store, account, server, token, key)
    database.close()
