"""Where the control socket is, and how to name it to the kernel."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

SOCKET_NAME = "control.sock"


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Name a socket through its folder's descriptor: a socket's address has room for 107 bytes only.

    Raises OSError when there is no such folder.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
