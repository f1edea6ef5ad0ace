"""Where the partitions lie, which of them a worker holds, and how it opens them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.files import make_folder
from angarium.core.log import Log
from angarium.engine.view import ConfigView
from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.partitions import Partitions
from angarium.spool.port import Spool, SpoolError
from angarium.spool.settings import SpoolSettings

_LOCK_PATIENCE_S = 20.0
_LOCK_RETRY_S = 0.1


def spool_folder(data: Path, config: Config) -> Path:
    """Return the folder that holds the partitions."""
    return config.globals.spoolbase or data / "spool"


def partition_folders(data: Path, config: Config, index: int, workers: int) -> list[Path]:
    """Return the folders of one worker's partitions: its active one, and those to be drained that a run with more than
    *workers* has left. Every partition has one worker.
    """
    folder = spool_folder(data, config)
    numbers = sorted(int(path.name[1:]) for path in folder.glob("p*") if path.name[1:].isdigit())
    left = [number for number in numbers if number >= workers and number % workers == index]
    return [folder / f"p{number}" for number in (index, *left)]


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


async def open_spools(
    folders: Sequence[Path],
    settings: SpoolSettings,
    log: Log,
    clock: Clock,
    patience_s: float = _LOCK_PATIENCE_S,
) -> Spool:
    """Open a worker's partitions, the active one first, as one spool.

    Raises SpoolError when the active one cannot be opened; another is left alone.
    """
    active = await open_spool(folders[0], settings, log, clock, patience_s)
    if len(folders) == 1:
        return active
    draining, left = [], []
    for folder in folders[1:]:
        try:
            draining.append(await open_spool(folder, settings, log, clock, patience_s))
        except SpoolError as error:
            left.append(str(error))
            log.error("spool", clock.now(), folder=str(folder), error=str(error))
    log.info("spool", clock.now(), drained=len(draining), left_alone=len(left))
    return Partitions(active, draining, left, max_resident=settings.max_resident)


async def open_spool(
    path: Path, settings: SpoolSettings, log: Log, clock: Clock, patience_s: float
) -> Partition:
    """Open a partition, waiting for a predecessor that is just letting go of it. Raises SpoolError."""
    await asyncio.to_thread(make_folder, path.parent)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while True:
        try:
            return open_partition(path, loop, settings)
        except SpoolError as error:
            if loop.time() >= deadline:
                raise
            log.warning("spool", clock.now(), waiting_for=str(path), error=str(error))
            await asyncio.sleep(_LOCK_RETRY_S)
