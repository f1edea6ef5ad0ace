"""The drop folder: where mail waits while no node answers.

Anybody on the machine may put a file in, and nobody but the node's user can list it or read what others put in: the
folder has the mode 1733, and files have names that cannot be guessed. A file that is being written cannot be read by
the node; its last change before the last sync is the permission to. So a power cut leaves whole files, or such as are
not yet there, and neither a lock nor a program with rights of its own is needed.
"""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from angarium.sendmail.errors import NoAnswer, NotNow, NotSent, SendmailError
from angarium.sendmail.posting import BadPosting, Posting, decode_posting

FOLDER_MODE: Final = 0o1733
MOST_BYTES: Final = 1 << 27
"""Of a file: a node reads it whole."""
_WRITING, _WHOLE = 0o200, 0o644
_SUFFIX: Final = ".mail"
_REFUSED: Final = ".refused"
_ABANDONED_S: Final = 86_400.0
_EXPIRY_S: Final = 5 * 86_400.0
_MOST_FILES: Final = 10_000


class Collected(NamedTuple):
    """What became of one file. *problem* None: the node has it; *stays*: it is tried again. *answered* is False when no
    node was there to ask.
    """

    name: str
    problem: str | None = None
    stays: bool = False
    answered: bool = True


def put(folder: Path, posting: Posting) -> Path:
    """Leave *posting* in the folder, safe on the disk. Raises NotNow when that fails, NotSent when it is too large."""
    data = posting.encode()
    if len(data) > MOST_BYTES:
        raise NotSent(f"the mail is larger than {MOST_BYTES} bytes, and no node answers", os.EX_DATAERR)
    path = folder / f"{os.urandom(16).hex()}{_SUFFIX}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _WRITING)
    except OSError as error:
        raise NotNow(
            f"cannot leave the mail in {folder}: {(error.strerror or str(error)).lower()}"
        ) from error
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
            os.fchmod(fd, _WHOLE)
            os.fsync(fd)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise NotNow(
            f"cannot leave the mail in {folder}: {(error.strerror or str(error)).lower()}"
        ) from error
    return path


def waiting(folder: Path) -> list[Path]:
    """Return the files that are there to be collected, oldest first. Raises OSError."""
    found = []
    for entry in islice(os.scandir(folder), _MOST_FILES):
        if entry.name.endswith(_SUFFIX):
            with suppress(FileNotFoundError):  # whose it is may take it away
                found += _if_whole(entry)
    return [folder / name for _, name in sorted(found)]


def _if_whole(entry: os.DirEntry[str]) -> list[tuple[float, str]]:
    """Return age and name of what is there to be collected."""
    state = entry.stat(follow_symlinks=False)
    if state.st_mode & stat.S_IROTH or not stat.S_ISREG(state.st_mode):
        return [(state.st_mtime, entry.name)]
    if time.time() - state.st_mtime > _ABANDONED_S:
        os.unlink(entry.path)  # who wrote it was killed, and has told nobody that it is sent
    return []


def collect(path: Path, hand_over: Callable[[Posting], object]) -> Collected:
    """Hand one file over and take it away. What is refused, is none of ours, or was not taken for five days is set
    aside under another name.

    A node that ends between the two has the mail twice. Raises OSError.
    """
    try:
        hand_over(_read(path))
    except NoAnswer as error:
        return Collected(path.name, str(error), stays=True, answered=False)
    except (SendmailError, BadPosting, OSError) as error:
        is_young = time.time() - path.lstat().st_mtime < _EXPIRY_S
        if isinstance(error, NotNow) and is_young:
            return Collected(path.name, str(error), stays=True)
        path.rename(path.with_suffix(_REFUSED))
        return Collected(path.with_suffix(_REFUSED).name, str(error))
    path.unlink()
    return Collected(path.name)


def _read(path: Path) -> Posting:
    """Raises BadPosting. Whoever put it there may have meant another file by it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadPosting(f"it cannot be read: {(error.strerror or str(error)).lower()}") from error
    try:
        state = os.fstat(fd)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1 or state.st_size > MOST_BYTES:
            raise BadPosting("it is no plain file of one name and a possible size")
        with open(fd, "rb", closefd=False) as file:
            return decode_posting(file.read(MOST_BYTES))
    finally:
        os.close(fd)
