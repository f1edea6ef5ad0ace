"""The node's side of the drop folder: takes in what `sendmail` has left there while no node answered.

It is handed over by SMTP, as `sendmail` would have done, so that a listener's options hold for it and no second way
leads in.
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.sendmail.drop import FOLDER_MODE, Collected, collect, waiting
from angarium.sendmail.place import SubmissionPlace, place_of
from angarium.sendmail.submit import submit

LOOK_S: Final = 2.0
"""How often is looked."""
_AT_ONCE: Final = 100
_AGAIN_S: Final = 60.0
"""How long a mail that the node did not take is left alone. The others are not held up by it."""


class DropCollector:
    """Looks into the `Drop_Directory` of the configuration in force. What goes wrong is logged once, until it is
    otherwise.
    """

    def __init__(self, config: Callable[[], Config], clock: Clock, log: Log) -> None:
        self._config = config
        self._clock = clock
        self._log = log
        self._trouble = ""
        self._put_off: dict[str, float] = {}

    async def look(self) -> None:
        """Take in what is there, oldest first, in a thread. What the node does not take now is left for later."""
        config = self._config()
        if config.globals.drop_directory is not None:
            await self._look(place_of(config), config.globals.drop_directory)

    async def _look(self, place: SubmissionPlace, folder: Path) -> None:
        try:
            if place.address is None:
                raise AngariumError("no listener takes mail without a login; give one a Unix socket")
            done = await asyncio.to_thread(_collect, folder, place.address, self._not_yet())
        except (AngariumError, OSError) as error:
            self._complain(f"mail in {folder} waits: {error}")
            return
        for each in done:
            self._tell(each)
            if each.stays and each.answered:
                self._put_off[each.name] = self._clock.now() + _AGAIN_S
        self._complain("".join(f"mail in {folder} waits: {each.problem}" for each in done if each.stays))

    def _not_yet(self) -> frozenset[str]:
        now = self._clock.now()
        self._put_off = {name: at for name, at in self._put_off.items() if at > now}
        return frozenset(self._put_off)

    def _tell(self, done: Collected) -> None:
        if done.problem is None:
            self._log.info("collected", self._clock.now(), file=done.name)
        elif not done.stays:
            self._log.error("collected", self._clock.now(), file=done.name, error=done.problem)

    def _complain(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            self._log.error("collected", self._clock.now(), error=trouble)
        self._trouble = trouble


def _collect(folder: Path, address: str, put_off: frozenset[str]) -> list[Collected]:
    """Hand over what waits but for *put_off*, as long as a node answers. Raises OSError for the folder."""
    done: list[Collected] = []
    for path in [path for path in _files(folder) if path.name not in put_off][:_AT_ONCE]:
        done.append(_collect_one(path, address))
        if not done[-1].answered:
            break
    return done


def _collect_one(path: Path, address: str) -> Collected:
    try:
        return collect(path, partial(submit, address))
    except OSError as error:  # it cannot be taken away; the others are not held up
        return Collected(path.name, str(error))


def _files(folder: Path) -> list[Path]:
    """Return what waits; a folder that is missing is made. Raises OSError."""
    try:
        return waiting(folder)
    except FileNotFoundError:
        folder.mkdir()
        os.chmod(folder, FOLDER_MODE)  # not by mkdir, from which the umask would take
        return []
