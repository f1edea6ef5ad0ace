"""A session without a socket: what is written is text, who may log in is a table."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.core.ids import MessageId
from angarium.core.metrics import Counters
from angarium.core.submission import OnReceipt, Problem, Raw, Receipt, Submission
from angarium.core.waiting import WaitingCount
from angarium.identity.guard.guard import Guard
from angarium.identity.principal import UNCHECKED, Principal, Refused, revoked
from angarium.identity.usage.buckets import ALLOWED, Allowed, Bucket, Exceeded
from angarium.render.return_path import SignedReturnPaths
from angarium.smtp.sasl.exchange import Claim, Secrets
from angarium.smtp.sasl.scram import scram_verifier
from angarium.sql.errors import StoreError
from angarium.submission.intake.quota import Quota, Reservation
from angarium.submission.session.access import Access
from angarium.submission.session.reception import Reception
from angarium.submission.session.session import Session
from angarium.testing.clock import ManualClock
from angarium.testing.intake import a_principal
from angarium.testing.log import kept_log, records_of
from angarium.testing.programs import PATIENCE_S

NOW = 1_900_000_000.0
SALT = b"0123456789abcdef"
RETURNS = SignedReturnPaths(lambda: (b"the node's own key",))


class Directory:
    """Implements submission.session.access.LoginDirectory: *users* by name, with their passwords."""

    def __init__(self) -> None:
        self.users: dict[str, tuple[str, Principal]] = {"ann": ("secret", a_principal())}
        self.is_down = False
        self.asked = 0
        self.used: list[Principal] = []

    def _answers(self) -> None:
        self.asked += 1
        if self.is_down:
            raise StoreError("nobody answers")

    async def authenticate(self, claim: Claim, peer_ip: str) -> Principal | Refused:
        self._answers()
        password, principal = self.users.get(claim.username, ("", None))
        if principal is None:
            return Refused("unknown")
        return principal if claim.secret == password else Refused("wrong", principal.name)

    async def secrets_for(self, mechanism: str, username: str) -> Secrets | None:
        self._answers()
        if username not in self.users:
            return None
        password = self.users[username][0]
        return Secrets(password, scram_verifier(password, SALT, 4096))

    async def principal_of(self, username: str, peer_ip: str) -> Principal | Refused:
        self._answers()
        return self.users[username][1] if username in self.users else Refused("unknown")

    def current(self, principal: Principal, peer_ip: str) -> Principal | Problem:
        if self.is_down:
            return UNCHECKED
        for _, latest in self.users.values():
            if latest.id == principal.id:
                return latest
        return revoked(principal)

    def note_use(self, principal: Principal, now: float) -> None:
        self.used.append(principal)


class Owners:
    """Implements submission.session.access.Owners by a table; what is not in it has to be asked for."""

    def __init__(self) -> None:
        self.known: dict[str, frozenset[int]] = {}
        self.told: dict[str, frozenset[int]] = {}
        self.is_down = False

    def now(self, domain: str) -> frozenset[int] | None:
        return self.known.get(domain)

    async def get(self, domain: str) -> frozenset[int]:
        await asyncio.sleep(0)
        if self.is_down:
            raise StoreError("nobody answers")
        return self.told.get(domain, frozenset())


class Mail:
    """Implements core.waiting.WaitingMail: of account 7 so much *waits*."""

    def __init__(self) -> None:
        self.waits = WaitingCount()

    def wait(self, account: int, recipients: int, size_bytes: int) -> None: ...

    def waiting(self, account: int) -> WaitingCount:
        return self.waits if account == 7 else WaitingCount()


class Usage:
    """Implements submission.intake.quota.UsageCounter with one limit. *is_slow*: each second answer is waited for."""

    def __init__(self, limit: int = 10**9) -> None:
        self.limit = limit
        self.taken = 0
        self.is_slow = False
        self.is_down = False
        self.account_name = "acme"

    def take_now(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded | None:
        return None if self.is_slow else self._take(count)

    async def take(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded:
        await asyncio.sleep(0)
        if self.is_down:
            raise StoreError("nobody answers")
        return self._take(count)

    def give_back(self, principal: Principal, count: int, since: float) -> None:
        self.taken -= count

    def _take(self, count: int) -> Allowed | Exceeded:
        if self.taken + count > self.limit:
            return Exceeded(
                Bucket("account:7", 86_400, self.limit, f"account {self.account_name}"), count, NOW + 3600
            )
        self.taken += count
        return ALLOWED


class Intake:
    """Takes every message, or does with it as *says*."""

    def __init__(self) -> None:
        self.config: Any = None
        self.quota: Quota | None = None
        self.refuses: Problem | None = None
        self.says = Receipt((MessageId(self.new_id()),))
        self.taken: list[Submission[Principal]] = []
        self.bodies: list[Any] = []

    def new_id(self) -> bytes:
        return b"0123456789abcdef"

    def submit(
        self, submission: Submission[Principal], answer: OnReceipt, reservation: Reservation | None = None
    ) -> None:
        assert isinstance(submission.content, Raw)
        self.taken.append(submission)
        self.bodies.append(submission.content.body)
        if reservation is not None:
            reservation.settle(bool(self.says.messages))
        answer(self.says)


class SessionCounts:
    """Counts sessions by peer."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.held: Counter[str] = Counter()

    def enter(self, peer: str) -> None:
        self.open.append(peer)

    def leave(self, peer: str) -> None:
        self.open.remove(peer)

    def sessions(self) -> int:
        return len(self.open)

    def sessions_of(self, peer: str) -> int:
        return self.open.count(peer)

    def hold(self, peer: str, more: int) -> None:
        self.held[peer] += more

    def held_by(self, peer: str) -> int:
        return self.held[peer]


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.text = ""
        self.is_closed = False
        self.wrote = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.text += data.decode()
        self.wrote.set()

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Door:
    """A reception and what it stands on. *config* is about the listener `default`, *node* about the node."""

    def __init__(self, config: str = "", node: str = "") -> None:
        text = f'Hostname = mx.test\n{node}\nESMTP_Listener "default" {{ Auth_Failure_Delay = 0\n{config} }}'
        self.directory, self.usage, self.intake, self.session_counts = (
            Directory(),
            Usage(),
            Intake(),
            SessionCounts(),
        )
        self.clock, self.counters = ManualClock(NOW), Counters()
        self.told: list[tuple[str, str, str]] = []
        self.kept_log = kept_log()
        self.facts: list[tuple[str, dict[str, Any]]] = []
        self.guard = Guard()
        self.owners = Owners()
        self.mail = Mail()
        access = Access(
            self.directory,
            self.guard,
            lambda *failure: self.told.append(failure),
            owners=self.owners,
        )
        self.intake.quota = Quota(self.usage, self.mail, self.clock)
        self.reception = Reception(
            parse_config(text, "angarium.conf"),
            self.intake,  # type: ignore[arg-type]
            self.session_counts,
            self.clock,
            self.kept_log,
            self.counters,
            access,
            facts=self,
            returns=RETURNS,
        )

    def note(self, kind: str, *, account: int = 0, server: int = 0, **fields: Any) -> None:
        """See intake.ports.Facts."""
        self.facts.append((kind, fields))

    def session(self, ip: str = "198.51.100.7") -> "DoorClient":
        return DoorClient(self, ip)

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log so far, as records."""
        return records_of(self.kept_log)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [record for record in self.log if record["event"] == name]

    def count(self, name: str, *labels: str) -> float:
        return self.counters.values.get((name, *labels), 0)


class DoorClient:
    """A client in the test's own words."""

    def __init__(self, door: Door, ip: str) -> None:
        self.wire = Wire()
        self.session = Session(door.reception, "default", "127.0.0.1:2525", (ip, 40_000))
        self.session.connection_made(self.wire)  # type: ignore[arg-type]
        self.wire.text = ""

    async def say(self, line: str | bytes) -> str:
        """Say one line and return the answer to it, whenever it comes."""
        self.wire.text = ""
        self.wire.wrote.clear()
        self.session.data_received((line.encode() if isinstance(line, str) else line) + b"\r\n")
        async with asyncio.timeout(PATIENCE_S):
            while not self.wire.text:
                await self.wire.wrote.wait()
                self.wire.wrote.clear()
        return self.wire.text.strip()

    async def helo(self) -> "DoorClient":
        await self.say("EHLO client.test")
        return self

    async def all_of(self, *lines: str) -> list[str]:
        """Say lines and return the code and enhanced code of each answer."""
        return [" ".join((await self.say(line)).splitlines()[-1].split()[:2]) for line in lines]


@pytest.fixture
def door() -> type[Door]:
    return Door
