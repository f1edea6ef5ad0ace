"""What a node says that cannot start."""

import errno
import socket

import pytest

from angarium.config.records import ListenOptions
from angarium.config.values import ListenAddress
from angarium.node.sockets import CannotListen, open_listening
from angarium.node.supervisor import run


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
