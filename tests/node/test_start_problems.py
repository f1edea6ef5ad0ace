"""What a node says that cannot start."""

import errno
import os
import socket
import stat

import pytest

from angarium.config.records import ListenOptions
from angarium.config.values import ListenAddress
from angarium.node.sockets import CannotListen, open_listening
from angarium.node.supervisor import run
from angarium.testing.lab import submit
from angarium.testing.node import Node
from angarium.testing.programs import free_port
from angarium.tls.server.own import own_pair

pytestmark = pytest.mark.process


def test_a_data_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(None, tmp_path / "file", 1) == 1
    said = f"the data folder {tmp_path}/file cannot be made: file exists; choose another by --data"
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            CannotListen, match=f":{port}: address already in use; stop the program that listens there"
        ):
            open_listening(ListenAddress("x", "127.0.0.1", port), ListenOptions())


def test_an_address_of_another_machine():
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:\d+: .*; write an address of this machine"):
        open_listening(ListenAddress("x", "192.0.2.1", 2525), ListenOptions())


def test_a_port_that_only_root_may_have(monkeypatch):
    def bind(self, address):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(CannotListen, match="permission denied; ports below 1024 need root"):
        open_listening(ListenAddress("x", "127.0.0.1", 25), ListenOptions())


def test_what_a_node_makes_is_for_its_owner_whatever_the_umask(tmp_path):
    mask = os.umask(0)
    try:
        node = Node(f'Gateway = "127.0.0.1"\nRemote_SMTP_Port = {free_port()}\n', workers=1, folder=tmp_path)
    finally:
        os.umask(mask)
    with node:
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        found = [node.data, *node.data.rglob("*")]
        open_to_others = [path for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert open_to_others == [own_pair(node.data).certificate]
