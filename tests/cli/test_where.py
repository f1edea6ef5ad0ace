"""Which node is meant where `--data` is not given."""

import os

import pytest

from angarium.cli.client import NoNode
from angarium.cli.where import SeveralNodes, find_folder, running_nodes, spool_folder
from angarium.node.control import ControlServer

SERVE = b"/usr/bin/python3\0/usr/bin/angarium\0serve\0--workers\01\0"


@pytest.fixture
def proc(tmp_path):
    """A listing of processes, each with a command line and the folders it has open."""

    class Proc:
        path = tmp_path / "proc"

        def add(self, number, folder, command=SERVE):
            descriptors = self.path / str(number) / "fd"
            descriptors.mkdir(parents=True)
            (self.path / str(number) / "cmdline").write_bytes(command)
            (descriptors / "7").symlink_to(folder)
            (descriptors / "8").symlink_to("socket:[4711]")

    return Proc()


@pytest.fixture
def node(tmp_path):
    """Start something that listens as a node does; returns its folder."""
    servers = []

    def start(name):
        folder = tmp_path / name
        folder.mkdir()
        servers.append(ControlServer(folder / "control.sock"))
        servers[-1].open()
        return folder

    yield start
    for server in servers:
        server._socket.close()


def test_a_node_has_its_folder_open_so_that_it_is_found(node):
    folder = node("a")
    opened = {os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")}
    assert str(folder) in opened


def test_the_node_that_runs_is_found_and_said(node, proc, tmp_path, capsys):
    folder = node("far away")
    proc.add(17, folder)
    proc.add(18, tmp_path)  # no socket there
    proc.add(19, tmp_path, b"/usr/bin/vim\0notes\0")
    assert find_folder(tmp_path / "none", proc.path) == folder
    assert capsys.readouterr() == ("", f"angarium: the node in {folder}\n")


def test_a_node_that_died_and_left_its_socket_is_none(node, proc, tmp_path):
    folder = tmp_path / "dead"
    folder.mkdir()
    server = ControlServer(folder / "control.sock")
    server.open()
    server._socket.close()
    proc.add(17, folder)
    assert running_nodes(proc.path) == []


def test_several_are_named_and_none_is_chosen(node, proc, tmp_path):
    first, second = node("a"), node("b")
    proc.add(17, second)
    proc.add(18, first)
    with pytest.raises(
        SeveralNodes, match=f"several nodes are running, in {first}, {second}; say which with --data"
    ):
        find_folder(tmp_path / "none", proc.path)


def test_without_any_it_is_said_what_was_looked_for(proc, tmp_path):
    proc.path.mkdir()
    with pytest.raises(
        NoNode, match=r"no folder \./data here, and no node of yours is running; start one with"
    ):
        find_folder(tmp_path / "none", proc.path)


def test_who_stands_beside_a_data_folder_means_that_one_even_when_its_node_is_stopped(
    node, proc, tmp_path, capsys
):
    proc.add(17, node("elsewhere"))
    usual = tmp_path / "data"
    usual.mkdir()
    assert find_folder(usual, proc.path) == usual
    assert capsys.readouterr() == ("", "")


def test_a_running_node_says_where_its_mail_is(control, tmp_path):
    control.says["node"] = {"spool": "/mnt/fast/spool"}
    assert str(spool_folder(tmp_path)) == "/mnt/fast/spool"


def test_without_a_node_mail_is_in_the_data_folder_or_in_the_folder_itself(tmp_path):
    assert spool_folder(tmp_path) == tmp_path
    (tmp_path / "spool").mkdir()
    assert spool_folder(tmp_path) == tmp_path / "spool"
