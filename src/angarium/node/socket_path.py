"""The Unix sockets of a node: where they are, how to name them to the kernel, how to open them."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from angarium.core.files import bind_unix

SOCKET_NAME = "control.sock"
"""The control socket."""
HTTP_SOCKET_NAME = "http.sock"
"""Where workers pass requests on to."""
RECORDER_SOCKET_NAME = "recorder.sock"
"""Where requests go that the recorder answers."""
_BACKLOG = 1024


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


def listen_private(path: Path) -> socket.socket:
    """Listen at *path* for our own user alone. What is there is left by a process that has ended. Raises OSError."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_name(path) as name:
        bind_unix(sock, name, 0o600)
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock
