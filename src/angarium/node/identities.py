"""The identity store as a worker opens it: who logs in, what they have used, whose keys sign, who gets no mail."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from angarium.assets.known import KnownTemplates
from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.core.waiting import WaitingMail
from angarium.identity.directory.directory import Directory
from angarium.identity.directory.lookup import generation
from angarium.identity.errors import KeyRingError
from angarium.identity.guard.guard import Guard
from angarium.identity.guard.kept import TrustKept
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.usage.usage import Usage
from angarium.node.recipient_lists import WorkerLists
from angarium.render.images.files import FOLDER as IMAGES
from angarium.render.images.files import ImageFiles
from angarium.render.images.names import SignedImagePaths
from angarium.render.images.shelf import ImageShelf
from angarium.render.return_path import PURPOSE, SignedReturnPaths
from angarium.render.tracking.addresses import PURPOSE as TRACKING
from angarium.render.tracking.addresses import SignedTrackingAddresses
from angarium.submission.intake.quota import Quota
from angarium.submission.session.access import Access
from angarium.suppressions.check import SuppressionCheck
from angarium.suppressions.index.file import FOLDER

READ_KEYS_S: Final = 60.0


class WorkerIdentities:
    """A worker's: who logs in, what they may still send and to whom, whose keys sign, where mail comes back to. For
    what it tells see `Access`.
    """

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
        self.templates = KnownTemplates(self._database, generation, self.directory.changes)
        self.lists = WorkerLists(self._database)
        self.returns = SignedReturnPaths(partial(ring.all_derived, PURPOSE))
        self.tracking = SignedTrackingAddresses(partial(ring.all_derived, TRACKING))
        paths = SignedImagePaths(partial(ring.all_derived, TRACKING))
        self.images = ImageShelf(ImageFiles(data / IMAGES), paths, clock)
        self._ring = ring
        self._clock = clock
        self._log = log
        self.clearance = SuppressionCheck(self._database, data / FOLDER, clock, log)
        self._usage = Usage(self._database, clock, log)
        self.quota = Quota(self._usage, waiting, clock)
        guard = Guard(ring.derived(b"trusted logins"))
        self._trust = TrustKept(self._database, guard.trust, clock, log)
        self._tell = on_success
        self.access = Access(
            self.directory, guard, on_failure, self._trusted, self.directory.owners, self.clearance
        )

    def _trusted(self, network: str, mark: str) -> None:
        self._trust.note(network, mark)
        self._tell(network, mark)

    async def start(self) -> None:
        """Begin to follow the store. It need not answer yet: until it does, logins are answered 454."""
        await self.directory.start()
        await self.clearance.start()
        await self._usage.start()
        await self._trust.start()
        self._reading = Tasks(self._log, self._clock).regularly(READ_KEYS_S, self._read_keys)

    async def _read_keys(self) -> None:
        """Sign return paths with the newest of the keys, which another process may have made."""
        try:
            await asyncio.to_thread(self._ring.refresh)
        except KeyRingError as error:
            self._log.error("secrets", self._clock.now(), error=str(error))

    async def close(self) -> None:
        """Give back what was reserved, write what was noted."""
        self._reading.cancel()
        await self._trust.close()
        await self._usage.close()
        await self.clearance.close()
        await self.templates.close()
        await self.directory.close()
        self._database.close()
