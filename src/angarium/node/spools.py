"""Where the partitions lie, and how a worker opens its own."""

import asyncio
from pathlib import Path

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.files import make_folder
from angarium.core.log import Log
from angarium.engine.view import ConfigView
from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.port import SpoolError
from angarium.spool.settings import SpoolSettings

_LOCK_PATIENCE_S = 20.0
_LOCK_RETRY_S = 0.1


def spool_folder(data: Path, config: Config) -> Path:
    """Return the folder that holds the partitions."""
    return config.globals.spoolbase or data / "spool"


def partition_folder(data: Path, config: Config, index: int) -> Path:
    """Return the folder of one worker's partition."""
    return spool_folder(data, config) / f"p{index}"


def partitions_with_mail(data: Path, config: Config) -> int:
    """Return how many partitions the last runs left, so that none stays without an owner."""
    found = spool_folder(data, config).glob("p*")
    numbers = [int(path.name[1:]) for path in found if path.name[1:].isdigit()]
    return max(numbers, default=-1) + 1


def settings_of(config: Config, view: ConfigView) -> SpoolSettings:
    """Return what a worker's partition may use."""
    options = config.globals
    return SpoolSettings(
        segment_bytes=options.spool_segment_size,
        journal_segments=max(4, options.spool_max_journal_size // options.spool_segment_size),
        history_segments=options.spool_history_segments,
        min_free_bytes=options.spool_min_free_space,
        resident_body_bytes=options.body_cache_size,
        max_resident=options.max_resident_messages,
        queue_of=view.queue_of,
        expires_at=view.expires_at,
    )


async def open_spool(path: Path, settings: SpoolSettings, log: Log, clock: Clock) -> Partition:
    """Open a partition, waiting for a predecessor that is just letting go of it. Raises SpoolError."""
    await asyncio.to_thread(make_folder, path.parent)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LOCK_PATIENCE_S
    while True:
        try:
            return open_partition(path, loop, settings)
        except SpoolError as error:
            if loop.time() >= deadline:
                raise
            log.warning("spool", clock.now(), waiting_for=str(path), error=str(error))
            await asyncio.sleep(_LOCK_RETRY_S)
