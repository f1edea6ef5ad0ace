"""What all SMTP sessions of one worker share, and the sessions themselves."""

from functools import partial
from typing import Protocol

from angarium.config.model import Config
from angarium.config.records import InboundOptions
from angarium.core.clock import Clock
from angarium.core.identity import IdentityCache
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.peers import network_of
from angarium.core.reply import Reply
from angarium.core.tasks import Tasks
from angarium.render.return_path import ReturnPaths
from angarium.submission.intake.intake import Intake
from angarium.submission.intake.ports import Facts, NoFacts
from angarium.submission.own_addresses import FeedbackRate, OwnAddresses
from angarium.submission.policy import RECONFIGURED, SHUTTING_DOWN
from angarium.submission.session.access import Access
from angarium.submission.session.settings import Settings
from angarium.submission.session.strangers import Strangers
from angarium.tls.server.contexts import TlsContexts


class PeerCounts(Protocol):
    """Counts sessions and unfinished messages over all workers; `node.session_counts.SessionCounts` is one.

    A *peer* is what `core.peers.network_of` makes of an address.
    """

    def enter(self, peer: str) -> None:
        """Count in."""
        ...

    def leave(self, peer: str) -> None:
        """Count out."""
        ...

    def sessions(self) -> int:
        """Sessions of all workers."""
        ...

    def sessions_of(self, peer: str) -> int:
        """Sessions of one peer."""
        ...

    def hold(self, peer: str, more: int) -> None:
        """Count *more* bytes of its unfinished messages; they are given back by a negative number."""
        ...

    def held_by(self, peer: str) -> int:
        """Bytes of unfinished messages of one peer, of all workers."""
        ...


class OpenSession(Protocol):
    """What is done to a session from outside; `session.Session` is one."""

    @property
    def listener(self) -> str:
        """The name of its listener."""
        ...

    @property
    def held_bytes(self) -> int:
        """About what it has in memory."""
        ...

    def check(self, now: float) -> None:
        """End it if it takes too long over what it is doing."""
        ...

    def end(self, reply: Reply) -> None:
        """Say *reply* at the next boundary and close."""
        ...

    def cut_off(self, reply: Reply) -> None:
        """Say *reply* at once and close."""
        ...


class Reception:
    """What the SMTP sessions of one worker share. Without *access* there is no AUTH; without *tls* no encryption;
    without *returns* no return path is known.
    """

    def __init__(
        self,
        config: Config,
        intake: Intake,
        session_counts: PeerCounts,
        clock: Clock,
        log: Log,
        counters: Counters,
        access: Access | None = None,
        tls: TlsContexts | None = None,
        facts: Facts | None = None,
        returns: ReturnPaths | None = None,
    ) -> None:
        self.config = config
        self.own = OwnAddresses.of(config.globals, returns)
        self.feedback_rate = FeedbackRate()
        self._returns = returns
        self.intake = intake
        self.session_counts = session_counts
        self.clock = clock
        self.log = log
        self.counters = counters
        self.access = access
        self.tls = tls
        self.facts = facts or NoFacts()
        self.sessions: set[OpenSession] = set()
        self.tasks = Tasks(log, clock)
        self.strangers = Strangers(clock, log, counters)
        self.settings = self._settings_by(config)
        self._number = 0

    def next_name(self) -> str:
        """Return a name for a session, unique on this node for as long as logs are kept."""
        self._number += 1
        return f"{int(self.clock.now() * 1000):x}.{self._number:x}"

    def sweep(self, now: float) -> None:
        """End what takes too long; called each second, so that no session needs a timer."""
        for session in list(self.sessions):
            session.check(now)
        self.counters.set("sessions_open", len(self.sessions))

    @property
    def held_bytes(self) -> int:
        """About what all sessions have in memory. Looks at each."""
        return sum(session.held_bytes for session in self.sessions)

    def auth_failed(self, address: str, mark: str, listener: str) -> None:
        """Count a failed login that another worker has seen. *mark* is that of `identity.guard`."""
        if self.access is not None:
            options = self.config.inbound(listener, "", address)
            network = network_of(address, options.peer_ipv4_prefix, options.peer_ipv6_prefix)
            self.access.guard.failed(network, mark, self.clock.now(), options)

    def auth_succeeded(self, network: str, mark: str) -> None:
        """Note a login that another worker has let in, as `auth_failed` does a failure."""
        if self.access is not None:
            self.access.guard.succeeded(network, mark, self.clock.now())

    def reconfigure(self, config: Config, changed: set[str]) -> None:
        """Obey a new configuration; sessions of *changed* listeners end with 421 at their next boundary."""
        self.config = config
        self.own = OwnAddresses.of(config.globals, self._returns)
        self.settings = self._settings_by(config)
        self.intake.config = config
        for session in list(self.sessions):
            if session.listener in changed:
                session.end(RECONFIGURED)

    def shutdown(self) -> None:
        """End every session with 421 at its next boundary."""
        for session in list(self.sessions):
            session.end(SHUTTING_DOWN)

    def cut_off(self) -> None:
        """End the sessions that are left, in the middle of a message: it has not been answered, so it is not lost."""
        for session in list(self.sessions):
            session.cut_off(SHUTTING_DOWN)

    def _settings_by(self, config: Config) -> IdentityCache[InboundOptions, Settings]:
        made = partial(
            Settings,
            large_message_bytes=config.globals.large_message_threshold,
            can_log_in=self.access is not None,
            can_encrypt=self.tls is not None,
        )
        return IdentityCache(made)
