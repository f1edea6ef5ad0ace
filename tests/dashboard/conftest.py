"""The pages over stores of their own, asked without a socket, as a browser asks them."""

import asyncio
import re
import shutil
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from angarium.core.reply import Reply
from angarium.dashboard.application import DashboardPorts, make_dashboard_routes
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import ErasureFolder
from angarium.events.news import StoredNews
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.store import RollupsReader
from angarium.events.sqlite.store import SqliteEventStore
from angarium.http.manage.routes import ManagePorts
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder
from angarium.testing.clock import ManualClock
from angarium.testing.happenings import START, event, reception
from angarium.testing.webhook_desk import deaf_desk

NOON = 1_795_262_400.0
PASSWORD = "correct horse battery"
WHO = "test"


@dataclass
class Browser:
    """Asks for pages, keeps the cookie, and follows where it is sent."""

    app: Any
    cookie: str = ""
    host: str = "127.0.0.1:8080"
    peer: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **more: Any) -> "Seen":
        return self._seen("GET", path, b"", **more)

    def post(self, path: str, fields: dict[str, str], **more: Any) -> "Seen":
        return self._seen("POST", path, urlencode(fields).encode(), **more)

    def send(self, page: "Seen", action: str, **fields: str) -> "Seen":
        """Send the form of *page* that goes to *action*, as a browser does."""
        form = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', page.text, re.DOTALL)
        assert form is not None, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
        origin = {"origin": f"http://{self.host}", "sec-fetch-site": "same-origin"}
        return self.post(action, hidden | fields, headers=origin)

    def _seen(self, method: str, path: str, body: bytes, headers: dict[str, str] | None = None) -> "Seen":
        seen = asyncio.run(self._ask(method, path, body, headers or {}))
        for name, value in seen.fields:
            if name == "set-cookie":
                self.cookie = "" if "Max-Age=0" in value else value.partition(";")[0]
        location = dict(seen.fields).get("location")
        return self.get(location) if location is not None else seen

    async def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> "Seen":
        name, _, query = path.partition("?")
        fields = {"host": self.host, **self.headers, **headers}
        if self.cookie:
            fields["cookie"] = self.cookie
        if method == "POST":
            fields["content-type"] = "application/x-www-form-urlencoded"
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
            "headers": [(key.lower().encode(), value.encode()) for key, value in fields.items()],
            "client": (self.peer, 40_000),
            "server": ("127.0.0.1", 8080),
        }
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        start = said[0]
        got = [(key.decode(), value.decode()) for key, value in start["headers"]]
        return Seen(start["status"], got, b"".join(each.get("body", b"") for each in said[1:]).decode(), path)


@dataclass(frozen=True)
class Seen:
    """What the browser shows."""

    status: int
    fields: list[tuple[str, str]]
    text: str
    path: str


@pytest.fixture
def clock():
    return ManualClock(NOON)


@pytest.fixture
def store(tmp_path, quick_path, migrated_file, clock):
    database = open_database(f"sqlite:///{shutil.copy(migrated_file, quick_path)}")
    yield IdentityStore(database, KeyRing.load_or_create(tmp_path / "secrets.key"), clock.now)
    database.close()


@pytest.fixture
def events(tmp_path):
    kept = SqliteEventStore(tmp_path / "events")
    yield kept
    kept.close()


@pytest.fixture
def app(store, events, tmp_path, clock):
    reports = MailReporter(events, RollupsReader(events.folder / "none.sums"), lambda reason: "Hard")
    manage = ManagePorts(
        store,
        events,
        reports,
        StoredNews(),
        BodyStore(tmp_path / "texts"),
        ErasureFolder(tmp_path / "erasures"),
        None,
        deaf_desk(tmp_path),
        OrderShelf(orders_folder(tmp_path)),
    )
    return Starlette(routes=make_dashboard_routes(DashboardPorts(manage, "127.0.0.1".__eq__, clock.now)))


@pytest.fixture
def people(store):
    """One person of each role, in account 1; and an owner of account 2."""
    first = store.accounts.create("default", actor=WHO)
    second = store.accounts.create("acme", actor=WHO)
    roles = ("viewer", "support", "marketer", "developer", "owner", "operator")
    found = {
        role: store.people.create(
            first.id, f"{role}@example.com", role.title(), PASSWORD, role=role, actor=WHO
        )
        for role in roles
    }
    found["other"] = store.people.create(
        second.id, "other@example.net", "", PASSWORD, role="owner", actor=WHO
    )
    return found


@pytest.fixture
def make_browser(app):
    """Makes a browser in which nobody is logged in."""
    return lambda **fields: Browser(app, **fields)


@pytest.fixture
def logged_in(app, store, people):
    """Makes a browser in which somebody is logged in."""

    def make(role: str = "owner") -> Browser:
        browser = Browser(app)
        link = store.sessions.make_link(people[role].id, actor=WHO)
        assert browser.get(f"/ui/login?link={link}").status == 200
        return browser

    return make


@pytest.fixture
def mails(events):
    """One message of account 1 that bounces, with hostile texts, and one of account 2. Returns their ids."""
    told = [
        reception(
            1, START, to=("bob@example.com",), account=1, subject="<script>alert(1)</script> \u202eroof"
        ),
        reception(2, START + 1, to=("dan@example.net",), account=2, subject="Nothing"),
    ]
    gone = Reply(550, "5.1.1", '"><img src=x onerror=alert(1)> no such user')
    events.take([*told, event(told[0], "bounced", "bounced", reply=gone)])
    return [each.message.id.hex() for each in told]
