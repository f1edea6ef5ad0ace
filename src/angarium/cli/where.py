"""Which data folder is meant where none is said: ./data, or without one that of the node that runs.

Found are nodes that this user may command: of others, /proc does not show the descriptors. A node has its folder open.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from angarium.cli.client import ControlClient, NoNode, RequestRefused
from angarium.cli.tables import clean
from angarium.node.socket_path import SOCKET_NAME

USUAL = Path("data")
"""Where a node keeps its data that was told nothing else."""
SERVICE = Path("/var/lib/angarium")
"""Where a service keeps its data, as it is packaged."""
PROC = Path("/proc")


class SeveralNodes(NoNode):
    """Several nodes answer, and none was named."""


def connect(data: Path | None) -> ControlClient:
    """Return a connection to the node in *data*, None: in the folder that is found. Raises NoNode."""
    return ControlClient(data or find_folder())


def find_folder(usual: Path = USUAL, proc: Path = PROC) -> Path:
    """Return the data folder that is meant where none is said; say on standard error which, unless it is the usual one.

    Where the usual one is there it is taken, node or no node: who stands beside it means no other. Else it is that of
    the node that runs, or the service's. Raises NoNode when there is none, SeveralNodes when several run.
    """
    if usual.is_dir():
        return usual
    found = running_nodes(proc) or [folder for folder in (SERVICE,) if folder.is_dir()]
    if len(found) > 1:
        folders = ", ".join(map(str, found))
        raise SeveralNodes(f"several nodes are running, in {folders}; say which with --data or ANGARIUM_DATA")
    if not found:
        raise NoNode(
            "there is no folder ./data here, and no node of yours is running; start one with `angarium serve`, say "
            "with --data where it is, or run this command as its user"
        )
    click.echo(f"angarium: the node in {clean(str(found[0]))}", err=True)
    return found[0]


def spool_folder(data: Path | None) -> Path:
    """Return where the partitions are: where the running node says, else the folder `spool` of a data folder, or that
    folder itself. Raises NoNode when no folder is given and none is found.
    """
    folder = data or find_folder()
    try:
        with ControlClient(folder) as client:
            return Path(client.call("node", kind=dict)["spool"])
    except (NoNode, RequestRefused, KeyError):
        inside = folder / "spool"
        return inside if inside.is_dir() else folder


def running_nodes(proc: Path = PROC) -> list[Path]:
    """Return the data folders of the nodes that run and that this user may command."""
    found = {*_opened_folders(proc), *([SERVICE.resolve()] if SERVICE.is_dir() else [])}
    return sorted(filter(_answers, found))


def _answers(folder: Path) -> bool:
    try:
        with ControlClient(folder):
            return True
    except NoNode:
        return False


def _opened_folders(proc: Path) -> Iterator[Path]:
    """Yield the folders with a control socket that programs of ours have open."""
    for process in proc.glob("[0-9]*"):
        try:
            if b"serve" not in (process / "cmdline").read_bytes().split(b"\0"):
                continue
            for link in (process / "fd").iterdir():
                folder = Path(os.readlink(link))
                if (folder / SOCKET_NAME).is_socket():
                    yield folder
        except OSError:  # it is another user's, or has just ended
            continue
