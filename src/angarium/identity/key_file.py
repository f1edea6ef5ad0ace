"""The file with the node's encryption keys: lines of `number key`, base64, the newest first.

A key's number is made from the key, so that a damaged line is noticed. The file is written whole under another name
and moved into place, so that it is never seen half written; a lock on its folder keeps two that change it apart.
"""

import base64
import binascii
import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from angarium.core.files import create_anew, make_folder, sync_folder
from angarium.identity.errors import KeyRingError

ID_BYTES: Final = 8
_KEY_BYTES: Final = 32
_HEADING = "# Keys of Angarium's identity store, newest first. Keep a copy: what they encrypt is lost without them.\n"


@dataclass(frozen=True, slots=True)
class NodeKey:
    """One AES-256 key and its number."""

    id: bytes
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, key: bytes) -> "NodeKey":
        """Return *key* with its number."""
        return cls(hashlib.sha256(b"angarium key number" + key).digest()[:ID_BYTES], key)

    @classmethod
    def new(cls) -> "NodeKey":
        """Return a new random key."""
        return cls.of(secrets.token_bytes(_KEY_BYTES))


Keys = tuple[NodeKey, ...]


def create(path: Path) -> None:
    """Make *path* with one new key; does nothing if there is a file. Raises KeyRingError."""
    with _explained(path):
        make_folder(path.parent)
        if not path.exists():
            with _locked(path):
                if not path.exists():  # another process may have been faster: its keys count
                    _write(path, (NodeKey.new(),))


def read(path: Path) -> Keys:
    """Return the keys in *path*. Raises KeyRingError, also when others than the owner may read it."""
    with _explained(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            _check_mode(path, os.fstat(descriptor).st_mode)
            text = file.read(1 << 20)
    return _parsed(path, text)


def rewrite(path: Path, change: Callable[[Keys], Keys]) -> Keys:
    """Replace the keys in *path* by what *change* makes of them, and return that. Raises KeyRingError."""
    with _explained(path), _locked(path):
        keys = change(read(path))
        _write(path, keys)
        return keys


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise KeyRingError(f"the key file {path} is not a file; move it away, or set Secrets_Key_File")
    if mode & 0o077:
        raise KeyRingError(
            f"the key file {path} can be read or written by others (mode {stat.S_IMODE(mode):04o}); "
            f"write `chmod 600 {path}`, then `angarium secrets rotate` if somebody may have read it"
        )


def _parsed(path: Path, text: bytes) -> Keys:
    lines = enumerate(text.splitlines(), 1)
    keys = tuple(_key(path, number, line) for number, line in lines if line and not line.startswith(b"#"))
    if not keys:
        raise _damaged(path, "there is no key in it")
    return keys


def _key(path: Path, number: int, line: bytes) -> NodeKey:
    name, _, encoded = line.partition(b" ")
    try:
        key = NodeKey.of(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        raise _damaged(path, f"line {number} is not a key") from None
    if len(key.key) != _KEY_BYTES or key.id.hex().encode() != name:
        raise _damaged(path, f"the key in line {number} does not fit its number")
    return key


def _damaged(path: Path, how: str) -> KeyRingError:
    return KeyRingError(f"the key file {path} is damaged: {how}; restore it from a copy")


def _write(path: Path, keys: Keys) -> None:
    """Make *keys* the whole of *path*, safe on the disk. The folder must be locked."""
    new = path.with_name(f".{path.name}.new")
    descriptor = create_anew(new)
    with open(descriptor, "w") as file:
        file.write(_HEADING)
        file.writelines(f"{key.id.hex()} {base64.b64encode(key.key).decode()}\n" for key in keys)
        file.flush()
        os.fsync(descriptor)
    _give_to_owner(path, new)
    os.replace(new, path)
    sync_folder(path.parent)


def _give_to_owner(path: Path, new: Path) -> None:
    """When root rotates the keys of another user's node, that user must still be able to read them."""
    if os.geteuid() == 0 and path.exists():
        owner = path.stat()
        os.chown(new, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise KeyRingError(f"the key file {path} is gone; restore it from a copy") from error
    except OSError as error:
        hint = "; give it to the user that Angarium runs as" if error.errno == errno.EACCES else ""
        raise KeyRingError(f"the key file {path} cannot be used: {error.strerror}{hint}") from error
