"""Where the sockets of a node are, and how to name them to the kernel."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

SOCKET_NAME = "control.sock"
"""The control socket."""
HTTP_SOCKET_NAME = "http.sock"
"""Where workers pass requests on to."""


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
