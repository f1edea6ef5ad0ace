"""Making a backup beside a running node.

Everything is looked at first, and copied then: how far consumers have read the journals, their databases, and then the
journals. So in what is restored no consumer is ahead of a journal, nor misses a part of it. What is looked at is held
(`sql.snapshot`, `spool.offline.moment`), by means that end with this process. The node is not asked for anything, and
waits for nothing.
"""

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from angarium import __version__
from angarium.backup.copier import STEP_BYTES, Copier, Pace, Progress, sync_folders
from angarium.backup.errors import BackupError
from angarium.backup.manifest import DATA, ELSEWHERE, FORMAT, NAME, FileEntry, Manifest
from angarium.backup.surroundings import Named, named_files, real
from angarium.config.model import Config
from angarium.core.files import create_anew, make_folder, sync_folder
from angarium.spool.offline.moment import STORE, Moment, allow_many_files
from angarium.spool.offline.moment import held as holding
from angarium.spool.offline.survey import partitions
from angarium.sql.snapshot import BESIDE, Snapshot, is_sqlite

_SPOOL = f"{DATA}/spool"


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be backed up: a data folder, and the configuration that its node has; *main* is the file of that.

    *keys* is the key file, *identity* the database of the identity store; where it is not SQLite, None, and
    *identity_at* says where it is.
    """

    data: Path
    config: Config
    main: Path | None
    keys: Path
    identity: Path | None
    identity_at: str = ""
    with_keys: bool = True

    @property
    def spool(self) -> Path:
        """Where the partitions are."""
        return self.config.globals.spoolbase or self.data / "spool"


@dataclass(slots=True)
class _Held:
    """What there is at the moment of the backup, by its path in the backup. Of *files* it has the descriptors."""

    at: float = 0.0
    databases: dict[str, Snapshot] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    moments: dict[str, Moment] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """About how much there is to copy."""
        sizes = [database.size_bytes for database in self.databases.values()]
        sizes += [os.fstat(fd).st_size for fd in self.files.values()]
        for moment in self.moments.values():
            sizes += [piece.size_bytes for piece in moment.pieces]
            sizes.append(moment.store.size_bytes if moment.store is not None else 0)
        return sum(sizes)


def make_backup(
    source: Source, target: Path, pace: Pace, begin: Callable[[int], None], progress: Progress
) -> Manifest:
    """Make the folder *target*, whole or not at all; *begin* is told about how many bytes that takes.

    Raises BackupError, and what is raised by those who read: SpoolError, StoreError.
    """
    _refuse(source, target)
    allow_many_files()
    with _unfinished(target) as folder, ExitStack() as stack:
        held = _look(source, stack)
        begin(held.size_bytes)
        copier = Copier(folder, pace, progress)
        try:
            _copy(held, copier)
            manifest = _manifest(source, held, copier.files)
            _finish(folder, manifest)
            folder.rename(target)
            sync_folder(target.parent)
        except OSError as error:
            raise BackupError(f"the backup cannot be written to {folder}: {error.strerror}") from error
    return manifest


def _refuse(source: Source, target: Path) -> None:
    if not source.data.is_dir():
        raise BackupError(f"there is no data folder {source.data}; say --data")
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise BackupError(f"there is something in {target} already; name a folder that is not there")
    if real(target).is_relative_to(real(source.data)):
        raise BackupError(
            f"{target} is in the data folder itself; name a folder elsewhere, on another disk at best"
        )


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Make the folder beside *target* that becomes it in the end. One that was left unfinished is made anew.

    Raises BackupError.
    """
    folder = target.with_name(f"{target.name}.unfinished")
    with ExitStack() as stack:
        try:
            make_folder(folder)
            stack.enter_context(_locked(folder))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            _empty(folder)
        except BlockingIOError as error:
            raise BackupError(f"another backup is being made in {folder}") from error
        except OSError as error:
            raise BackupError(f"the backup cannot be written to {folder}: {error.strerror}") from error
        yield folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _look(source: Source, stack: ExitStack) -> _Held:
    held = _Held()
    holdings = {path: stack.enter_context(holding(path)) for path in partitions(source.spool)}
    before = _identity_of(source.keys)
    for path, place in _files(source):
        _hold(held, path, place, stack)
    if _identity_of(source.keys) != before:
        raise BackupError(
            "the secrets are being encrypted under a new key; take the backup when that is done"
        )
    held.at = time.time()
    held.moments = {f"{_SPOOL}/{path.name}": each.take() for path, each in holdings.items()}
    return held


def _hold(held: _Held, path: Path, place: str, stack: ExitStack) -> None:
    try:
        file = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return  # it was removed just now
    except OSError as error:
        raise BackupError(
            f"{path} cannot be read: {error.strerror}; run this as the node's user, or root"
        ) from error
    if is_sqlite(file):
        snapshot = held.databases[place] = Snapshot(path)
        stack.callback(snapshot.close)
    else:
        held.files[place] = file.fileno()


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is replaced."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _files(source: Source) -> Iterator[tuple[Path, str]]:
    """Yield all files but those of the spool, with their places in the backup."""
    data = real(source.data)
    keys = {real(source.keys), data / "tls" / "key.pem", data / "tls" / "certificate.pem"}
    for path in _in_data(data, real(source.spool)):
        if source.with_keys or path not in keys:
            yield path, f"{DATA}/{path.relative_to(data)}"
    for named in _elsewhere(source, data):
        if source.with_keys or not named.is_secret:
            yield named.path, f"{ELSEWHERE}{named.path}"


def _in_data(data: Path, spool: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(data):
        here = Path(folder)
        names[:] = sorted(n for n in names if here / n != spool and (here != data or n != ELSEWHERE))
        for name in sorted(files):
            path = here / name
            if not name.endswith(BESIDE) and path.is_file():
                yield path


def _elsewhere(source: Source, data: Path) -> list[Named]:
    found = named_files(source.config, source.main, data)
    if source.identity is not None and not real(source.identity).is_relative_to(data):
        found.append(Named(real(source.identity), False))
    return found


def _copy(held: _Held, copier: Copier) -> None:
    for place, moment in held.moments.items():
        _copy_partition(moment, place, copier)
    for place, snapshot in held.databases.items():
        _copy_database(snapshot, place, copier)
    for place, fd in held.files.items():
        size = os.fstat(fd).st_size
        copier.copy(place, fd, size, size)


def _copy_partition(moment: Moment, place: str, copier: Copier) -> None:
    for piece in moment.pieces:
        copier.copy(f"{place}/{piece.name}", piece.fd, piece.size_bytes, piece.room_bytes)
        moment.check(piece)
    if moment.store is not None:
        _copy_database(moment.store, f"{place}/{STORE}", copier)


def _copy_database(snapshot: Snapshot, place: str, copier: Copier) -> None:
    path, done = copier.place(place), 0

    def progress(now: int, _total: int) -> None:
        nonlocal done
        with path.open("rb") as file:
            os.fdatasync(file.fileno())
        copier.spent(place, now - done)
        done = now

    snapshot.copy_to(path, progress, STEP_BYTES)
    copier.take(place)


def _manifest(source: Source, held: _Held, files: list[FileEntry]) -> Manifest:
    return Manifest(
        format=FORMAT,
        angarium=__version__,
        made_at=held.at,
        host=socket.gethostname(),
        data=str(source.data),
        running=any(moment.in_use for moment in held.moments.values()),
        files=tuple(files),
        without_keys=not source.with_keys,
        identity_at=source.identity_at,
        configuration=f"{ELSEWHERE}{real(source.main)}" if source.main is not None else "",
    )


def _finish(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, durably, when all else is durable."""
    sync_folders(folder)
    with open(create_anew(folder / NAME), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
