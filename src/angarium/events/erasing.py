"""Erasures of a recipient that are asked for and done: a file each, so that what was asked for is done, whoever dies.

Whoever asks writes the request; the one process that writes the event store does it, a day at a time, and writes how
far it has come. When it has ended, another file says so, which does not say whom it was about.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.files import make_folder
from angarium.events.bodies.store import BodyStore
from angarium.events.port import EventStore

MOST_WAITING: Final = 1_000
"""So many may wait at a time."""
KEPT_DAYS: Final = 400
"""So long it is told what became of one that has ended."""
_ASKED, _ENDED = ".json", ".done"
_DAY_S: Final = 86_400


class TooManyErasures(AngariumError):
    """So many wait that no more are taken."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One request, made by *by*. *address* is empty once it has ended, *mark* is what the audit log calls it. It is
    about the mail of *account*, None: of all. *done* are the days that were gone through, of *days*. *found* counts the
    recipients that were erased, *texts* the kept texts. *problem* is why it did not go on last; it is tried again.
    """

    address: str
    asked_at: float
    by: str = ""
    mark: str = ""
    account: int | None = None
    done: list[str] = []
    days: int = 0
    found: int = 0
    texts: int = 0
    ended_at: float | None = None
    problem: str = ""


class ErasureFolder:
    """The requests in *folder*, by numbers that grow. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, erasure: Erasure) -> int:
        """Ask for *erasure*; return its number. Raises TooManyErasures."""
        make_folder(self._folder)
        if len(self.waiting()) >= MOST_WAITING:
            raise TooManyErasures(f"{MOST_WAITING} erasures wait already; ask again when some have ended")
        unfinished = self._folder / f"{os.urandom(8).hex()}.new"
        _write(unfinished, erasure)
        try:
            return self._numbered(unfinished)
        finally:
            unfinished.unlink()

    def waiting(self) -> list[int]:
        """Return the numbers of those that have not ended, the first first."""
        return self._numbers(_ASKED)

    def all(self) -> list[int]:
        """Return the numbers of all that are known, the last first."""
        return sorted({*self._numbers(_ASKED), *self._numbers(_ENDED)}, reverse=True)

    def read(self, number: int) -> Erasure | None:
        """Return a request, None where none is known of that number."""
        for suffix in (_ENDED, _ASKED, _ENDED):  # it may end between the first two
            with contextlib.suppress(FileNotFoundError):
                return msgspec.json.decode(self._path(number, suffix).read_bytes(), type=Erasure)
        return None

    def write(self, number: int, erasure: Erasure) -> None:
        """Write how far a request has come; it is there as a whole, or as it was."""
        has_ended = erasure.ended_at is not None
        path = self._path(number, _ENDED if has_ended else _ASKED)
        unfinished = path.with_suffix(".new")
        _write(unfinished, erasure)
        unfinished.replace(path)
        if has_ended:
            self._path(number, _ASKED).unlink(missing_ok=True)

    def forget(self, now: float) -> None:
        """Forget those that have ended long ago; never the last one, so that no number is given twice."""
        for number in self._numbers(_ENDED)[:-1]:
            ended = self.read(number)
            if ended is None or ended.ended_at is None or now - ended.ended_at <= KEPT_DAYS * _DAY_S:
                return
            self._path(number, _ENDED).unlink(missing_ok=True)

    def _numbered(self, unfinished: Path) -> int:
        while True:
            number = max(self.all(), default=0) + 1
            with contextlib.suppress(FileExistsError):  # somebody else was quicker
                os.link(unfinished, self._path(number, _ASKED))
                return number

    def _numbers(self, suffix: str) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob(f"*{suffix}") if path.stem.isdecimal())

    def _path(self, number: int, suffix: str) -> Path:
        return self._folder / f"{number}{suffix}"


class Eraser:
    """Does what is asked for in *requests*: by whoever writes *events* and *texts*. *tell* is told of each that ends,
    and may raise AngariumError: then it is told again.
    """

    def __init__(
        self,
        requests: ErasureFolder,
        events: EventStore,
        texts: BodyStore,
        tell: Callable[[int, Erasure], object],
    ) -> None:
        self._requests = requests
        self._events = events
        self._texts = texts
        self._tell = tell

    def work(self, now: float) -> Iterator[tuple[int, Erasure]]:
        """Go on with all requests, a day of each at a time; yield how far each has come. Raises OSError; then it goes
        on from there.
        """
        for number in self._requests.waiting():
            erasure = self._requests.read(number)
            if erasure is None:
                continue
            try:
                for further in self._further(number, erasure, now):
                    erasure = further  # what was done counts, also if the rest of it fails
            except AngariumError as error:
                erasure = msgspec.structs.replace(erasure, problem=str(error))
            self._requests.write(number, erasure)
            yield number, erasure
        self._requests.forget(now)

    def _further(self, number: int, erasure: Erasure, now: float) -> Iterator[Erasure]:
        """Go through one more day, and yield the request as it is after each thing that was done."""
        if erasure.ended_at is not None:  # killed when it had just been written
            return
        days = [*self._events.sizes()]
        left = [day for day in days if day not in erasure.done]
        if not left:
            yield self._end(number, msgspec.structs.replace(erasure, days=len(days)), now)
            return
        day, address, account = left[-1], erasure.address, erasure.account
        # Texts first: of whom nothing is known any more, no text is found.
        texts = self._texts.erase(self._events.alone(day, address, account))
        erasure = msgspec.structs.replace(erasure, texts=erasure.texts + texts)
        yield erasure
        found = erasure.found + self._events.erase(day, address, account)
        yield msgspec.structs.replace(
            erasure, done=[*erasure.done, day], days=len(days), found=found, problem=""
        )

    def _end(self, number: int, erasure: Erasure, now: float) -> Erasure:
        self._events.sync()
        self._tell(number, erasure)
        return msgspec.structs.replace(erasure, address="", ended_at=now, problem="")


def _write(path: Path, erasure: Erasure) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(msgspec.json.encode(erasure))
        file.flush()
        os.fsync(fd)
