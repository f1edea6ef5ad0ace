"""The identity store as a worker opens it: who logs in, what they have used, whose keys sign."""

from collections.abc import Callable
from pathlib import Path

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.waiting import WaitingMail
from angarium.identity.directory.directory import Directory
from angarium.identity.guard.guard import Guard
from angarium.identity.guard.kept import TrustKept
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.usage.usage import Usage
from angarium.submission.intake.quota import Quota
from angarium.submission.session.access import Access


class WorkerIdentities:
    """A worker's: who logs in, what they may still send, whose keys sign. For what it tells see `Access`."""

    def __init__(
        self,
        config: Config,
        data: Path,
        clock: Clock,
        log: Log,
        on_failure: Callable[[str, str, str], None],
        on_success: Callable[[str, str], None],
        waiting: WaitingMail,
    ) -> None:
        self._database = open_database(store_url(config, data))
        ring = KeyRing.load_or_create(key_file(config, data))
        self.directory = Directory(self._database, ring, clock, log)
        self._usage = Usage(self._database, clock, log)
        self.quota = Quota(self._usage, waiting, clock)
        guard = Guard(ring.derived(b"trusted logins"))
        self._trust = TrustKept(self._database, guard.trust, clock, log)
        self._tell = on_success
        self.access = Access(self.directory, guard, on_failure, self._trusted, self.directory.owners)

    def _trusted(self, network: str, mark: str) -> None:
        self._trust.note(network, mark)
        self._tell(network, mark)

    async def start(self) -> None:
        """Begin to follow the store. It need not answer yet: until it does, logins are answered 454."""
        await self.directory.start()
        await self._usage.start()
        await self._trust.start()

    async def close(self) -> None:
        """Give back what was reserved, write what was noted."""
        await self._trust.close()
        await self._usage.close()
        await self.directory.close()
        self._database.close()
