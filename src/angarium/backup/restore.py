"""A node made of a backup. Nothing is begun in its folder before all is there, checked and durable."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from angarium.backup.copier import STEP_BYTES, Progress, sync_folders
from angarium.backup.errors import BackupError
from angarium.backup.manifest import DATA, FileEntry, Manifest, read_manifest
from angarium.backup.unfinished import MARK
from angarium.core.files import (
    create_anew,
    give_to_owner_of,
    make_folder,
    open_own,
    replace_file,
    sync_folder,
)

_IGNORED = ("lost+found", MARK)


def check_backup(backup: Path, progress: Progress) -> Manifest:
    """Read all of *backup*; return its manifest. Raises BackupError for what is not as it was written."""
    manifest = read_manifest(backup)
    for entry in manifest.files:
        with _opened(backup, entry) as source:
            _read(entry, source, lambda piece: None, progress)
    return manifest


def restore(backup: Path, data: Path, finish: Callable[[Manifest], None], progress: Progress) -> Manifest:
    """Make the data folder *data* of *backup*. It is not there, or empty, or what a restore left that was broken off.

    *finish* is called when all is in its place and before a node may begin there. Raises BackupError, and what *finish*
    raises: then nobody uses the folder before another restore.
    """
    manifest = read_manifest(backup)
    try:
        _prepare(data)
        for entry in manifest.files:
            _restore_file(backup, entry, data / target_of(entry), progress)
        finish(manifest)
        _give_away(data)
        sync_folders(data)
        (data / MARK).unlink()
        sync_folder(data)
    except OSError as error:
        raise BackupError(f"{data} cannot be restored: {error.strerror or error}") from error
    return manifest


def target_of(entry: FileEntry) -> str:
    """Return where a file belongs, from the data folder on."""
    return entry.path.removeprefix(f"{DATA}/")


def _prepare(data: Path) -> None:
    make_folder(data)
    there = [path for path in data.iterdir() if path.name not in _IGNORED]
    if there and not (data / MARK).exists():
        raise BackupError(
            f"there is something in {data} already; name an empty folder with --data, or move it away"
        )
    replace_file(data / MARK, b"A restore has not finished. Run it again.\n")
    for path in there:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def _opened(backup: Path, entry: FileEntry) -> Iterator[int]:
    try:
        fd = open_own(backup / entry.path, os.O_RDONLY)
    except OSError as error:
        raise BackupError(
            f"{backup / entry.path} cannot be read: {error.strerror}; take another backup"
        ) from error
    try:
        yield fd
    finally:
        os.close(fd)


def _restore_file(backup: Path, entry: FileEntry, target: Path, progress: Progress) -> None:
    make_folder(target.parent)
    with _opened(backup, entry) as source, open(create_anew(target), "wb", buffering=0) as file:
        if entry.room > entry.size:  # a segment is used again: it must not meet a full disk then
            os.posix_fallocate(file.fileno(), 0, entry.room)
        _read(entry, source, file.write, progress)
        os.fsync(file.fileno())


def _read(entry: FileEntry, source: int, take: Callable[[bytes], object], progress: Progress) -> None:
    """Hand all of a file to *take*. Raises BackupError in the end when it was not what the manifest says."""
    digest, size = hashlib.sha256(), 0
    while piece := os.read(source, STEP_BYTES):
        digest.update(piece)
        size += len(piece)
        take(piece)
        progress(entry.path, len(piece))
    if (size, digest.hexdigest()) != (entry.size, entry.sha256):
        raise BackupError(f"{entry.path} is not as it was written into the backup; take another backup")


def _give_away(data: Path) -> None:
    """What root restores into somebody's folder is for him."""
    if os.geteuid() == 0:
        for folder, names, files in os.walk(data):
            for name in (*names, *files):
                give_to_owner_of(data, Path(folder, name))
