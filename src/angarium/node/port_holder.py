"""Which program has a port, as far as this user may see it: the kernel's tables under /proc."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_LISTENS = "0A"
_TABLES = ("tcp", "tcp6")
_PROC = Path("/proc")


class _Listening(NamedTuple):
    uid: int
    inode: str


def holder(host: str, port: int) -> str:
    """Return who listens on *port* of *host* or of all addresses: program and process, or else its user; empty when
    neither can be seen. Blocks: it looks at every process.
    """
    found = [one for name in _TABLES for one in _listening(_PROC / "net" / name, host, port)]
    if not found:
        return ""
    for listening in found:
        pid = _process_with(f"socket:[{listening.inode}]")
        if pid:
            return f"{_program(pid)} (process {pid})"
    return f"a program of the user {_user(found[0].uid)}"


def _listening(table: Path, host: str, port: int) -> Iterator[_Listening]:
    """Yield what listens there. A line is: number, local address, peer, state, …, uid, timeout, inode (proc(5))."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    for fields in map(str.split, lines):
        address, _, its_port = fields[1].partition(":")
        if fields[3] == _LISTENS and int(its_port, 16) == port and _may_be(address, host):
            yield _Listening(int(fields[7]), fields[9])


def _may_be(address: str, host: str) -> bool:
    """Whether what listens on *address*, in the kernel's form, stands in the way of *host*."""
    is_any = not address.strip("0")
    if is_any or host in ("0.0.0.0", "::") or ":" in host or len(address) > 8:
        return True
    return bytes.fromhex(address)[::-1] == bytes(map(int, host.split(".")))


def _process_with(link: str) -> int:
    """Return a process that has the file; 0 when none is seen. Processes of others cannot be looked into."""
    for folder in _PROC.glob("[0-9]*/fd"):
        try:
            if any(os.readlink(entry.path) == link for entry in os.scandir(folder)):
                return int(folder.parent.name)
        except OSError:
            continue
    return 0


def _program(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return "a program"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
