"""Where tests put files that shall not wait for a disk: in memory, if there is ample room."""

import os
from pathlib import Path
from typing import Final

_IN_MEMORY: Final = Path("/dev/shm")
_ROOM_BYTES: Final = 1 << 30


def memory_folder() -> Path | None:
    """Return a folder in memory; None, where there is none with room: then files are where temporary ones are else.

    A server of databases makes a thousand files for each, and SQLite syncs each change: a busy disk takes a second.
    """
    if not os.access(_IN_MEMORY, os.W_OK):
        return None
    room = os.statvfs(_IN_MEMORY)
    return _IN_MEMORY if room.f_bavail * room.f_frsize > _ROOM_BYTES else None
