"""Erasures of a recipient that are asked for and done: a file each, so that what was asked for is done, whoever dies.

Whoever asks writes the request; the one process that writes the event store does it, a day at a time, and writes how
far it has come. When it has ended, the file says no more whom it was about.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from angarium.core.files import make_folder
from angarium.events.port import EventStore, EventStoreError

_SUFFIX = ".json"
_FORGET_S = 3_600.0


class Erasure(msgspec.Struct, frozen=True):
    """One request. *address* is empty once it has ended. *done* are the days that were gone through, of *days*; *found*
    counts the recipients that were erased. *problem* is why it did not go on last; it is tried again.
    """

    address: str
    asked_at: float
    done: list[str] = []
    days: int = 0
    found: int = 0
    has_ended: bool = False
    problem: str = ""


class ErasureFolder:
    """The requests in *folder*. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, address: str, now: float) -> str:
        """Ask for an address to be erased; return the request's name. Asked for twice, it is one."""
        make_folder(self._folder)
        name = os.urandom(8).hex()
        self.write(name, Erasure(address, now))
        return name

    def names(self) -> list[str]:
        """Return the requests, in no order."""
        return [path.stem for path in self._folder.glob(f"*{_SUFFIX}")]

    def read(self, name: str) -> Erasure | None:
        """Return a request, None when it is gone."""
        try:
            return msgspec.json.decode(self._path(name).read_bytes(), type=Erasure)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write(self, name: str, erasure: Erasure) -> None:
        """Write how far a request has come; it is there as a whole, or as it was."""
        unfinished = self._path(name).with_suffix(".new")
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(msgspec.json.encode(erasure))
            file.flush()
            os.fsync(fd)
        unfinished.replace(self._path(name))

    def forget(self, name: str) -> None:
        """Take a request away."""
        with contextlib.suppress(FileNotFoundError):
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def work(folder: ErasureFolder, store: EventStore, now: float) -> Iterator[tuple[str, Erasure]]:
    """Go on with all requests, a day of each at a time; yield how far each has come. By whoever writes *store*. Raises
    OSError; then it goes on from there.
    """
    for name in folder.names():
        erasure = folder.read(name)
        if erasure is not None and erasure.has_ended and now - erasure.asked_at > _FORGET_S:
            folder.forget(name)
        elif erasure is not None and not erasure.has_ended:
            try:
                further = _further(erasure, store)
            except EventStoreError as error:
                further = msgspec.structs.replace(erasure, problem=str(error))
            folder.write(name, further)
            yield name, further


def _further(erasure: Erasure, store: EventStore) -> Erasure:
    days = [*store.sizes()]
    left = [day for day in days if day not in erasure.done]
    if not left:
        store.sync()
        return msgspec.structs.replace(erasure, address="", days=len(days), has_ended=True, problem="")
    found = erasure.found + store.erase(left[-1], erasure.address)
    return msgspec.structs.replace(
        erasure, done=[*erasure.done, left[-1]], days=len(days), found=found, problem=""
    )
