"""What a backup says of itself: a file that is written last, so that half a backup has none."""

from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from angarium.backup.errors import BackupError
from angarium.spool.codec import VERSION
from angarium.spool.sqlite.schema import SCHEMA_VERSION

FORMAT: Final = 1
NAME: Final = "manifest.json"
DATA: Final = "data"
"""The folder in a backup with what was in the data folder."""
ELSEWHERE: Final = "elsewhere"
"""That with what the configuration names outside of it, under its whole path; and its place in what is restored."""

_TOP = (DATA, ELSEWHERE)


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file. *path* is relative to the backup; *room* is the size that the file had where it stood, of which what
    is beyond *size* held nothing.
    """

    path: str
    size: int
    sha256: str
    room: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """*made_at* is the moment of which the backup is, in epoch seconds: what was acknowledged before is in it.

    *host* and *data* say where. *running*: there was a node, which may have delivered since. *without_keys*: key file
    and certificates were left out. *identity_at* is the database of an identity store that is not in it, else "".
    *configuration* is the path of the main configuration file in the backup, "" for none. *journal_format* and
    *store_format* are those of the spool.
    """

    format: int
    angarium: str
    made_at: float
    host: str
    data: str
    running: bool
    files: tuple[FileEntry, ...]
    without_keys: bool = False
    identity_at: str = ""
    configuration: str = ""
    journal_format: int = VERSION
    store_format: int = SCHEMA_VERSION

    @property
    def size_bytes(self) -> int:
        """What has to be copied."""
        return sum(file.size for file in self.files)


class _Head(msgspec.Struct):
    format: int
    angarium: str = ""


def read_manifest(backup: Path) -> Manifest:
    """Return the manifest of *backup*. Raises BackupError for what is none, or of a newer Angarium."""
    data = _content(backup)
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format > FORMAT:
            raise _newer(backup, head.angarium, f"in format {head.format}; this one reads up to {FORMAT}")
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{backup / NAME} is damaged ({error}); take another backup") from error
    spool = manifest.journal_format, manifest.store_format
    if manifest.journal_format > VERSION or manifest.store_format > SCHEMA_VERSION:
        raise _newer(
            backup, manifest.angarium, f"with a spool of formats {spool}; this one reads up to {_OURS}"
        )
    _check_paths(backup, manifest)
    return manifest


_OURS = (VERSION, SCHEMA_VERSION)


def _content(backup: Path) -> bytes:
    try:
        return (backup / NAME).read_bytes()
    except FileNotFoundError as error:
        raise BackupError(
            f"there is no {NAME} in {backup}: it is no backup, or one that was broken off; take a whole one"
        ) from error
    except OSError as error:
        raise BackupError(f"{backup / NAME} cannot be read: {error.strerror}") from error


def _newer(backup: Path, version: str, how: str) -> BackupError:
    return BackupError(
        f"{backup} was made by a newer Angarium ({version}) {how}; restore it with that version or a later one"
    )


def _check_paths(backup: Path, manifest: Manifest) -> None:
    """A manifest may have been made by anybody: nothing is written outside of where it is restored."""
    paths = [file.path for file in manifest.files]
    odd = next((path for path in paths if not _is_inside(path)), "")
    if odd or len(set(paths)) != len(paths):
        raise BackupError(
            f"{backup / NAME} names {odd or 'a file twice'}, which no backup has; it was tampered with"
        )


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    plain = "\0" not in path and ".." not in parts and str(PurePosixPath(path)) == path
    return plain and len(parts) > 1 and parts[0] in _TOP
