"""What a node says that cannot start."""

import errno
import os
import socket
import stat

import pytest

from angarium.config.records import ListenOptions
from angarium.config.source import HTTP_PORT, MOST_STEPS, SMTP_PORT, ConfigSource
from angarium.config.values import ListenAddress
from angarium.node.port_holder import holder
from angarium.node.sockets import CannotListen, open_listening
from angarium.node.supervisor import run
from angarium.testing.lab import submit
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S, Program, free_port
from angarium.tls.server.own import own_pair

pytestmark = pytest.mark.process


class Untold:
    """A Starter that does nothing."""

    async def sockets_are_open(self, start):
        pass

    def is_ready(self, start):
        pass

    async def has_stopped(self):
        pass


def test_a_data_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(ConfigSource(), tmp_path / "file", 1, Untold()) == 1
    said = f"the data folder {tmp_path}/file cannot be made: file exists; choose another by --data"
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            CannotListen, match=f":{port}: address already in use by .* \\(process {os.getpid()}\\); "
        ):
            open_listening(ListenAddress("x", "127.0.0.1", port), ListenOptions())


TAKEN = """\
HTTP_Listener { Enable = false }
ESMTP_Listener "mail" {
  Listen "127.0.0.1:%d" { }
}
"""


def test_nothing_is_made_or_printed_before_the_sockets_are_open_and_the_line_to_change_is_named(tmp_path):
    """A secret that is shown once is lost when the node does not start."""
    config = tmp_path / "a.conf"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config.write_text(TAKEN % port)
        with Program([ANGARIUM, "serve", "--init", "--config", config, "--data", tmp_path / "d"]) as program:
            program.wait_for(f"process {os.getpid()}.*; stop the program that listens there, or name another")
            assert program.process.wait(PATIENCE_S) == 1
    assert f"name another port in Listen ({config}:3)" in program.log
    assert "password" not in program.log
    assert not (tmp_path / "d/identity/secrets.key").exists()
    assert not (tmp_path / "d/tls").exists()


def test_what_is_built_in_takes_the_next_free_port_but_not_one_that_was_asked_for(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert run(ConfigSource(listen=(taken,)), tmp_path, 1, Untold()) == 1
        assert "or name another port by --listen" in capsys.readouterr().err
    assert ConfigSource().beside(SMTP_PORT) == ConfigSource(smtp_port=SMTP_PORT + 1)
    assert ConfigSource().beside(HTTP_PORT) == ConfigSource(http_port=HTTP_PORT + 1)
    assert ConfigSource(listen=(taken,)).beside(SMTP_PORT) is None
    assert ConfigSource(path=tmp_path).beside(SMTP_PORT) is None
    last = SMTP_PORT + MOST_STEPS
    assert ConfigSource(smtp_port=last).beside(last) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_the_holder_of_a_port_is_named(host):
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as other:
        port = other.getsockname()[1]
        assert holder("127.0.0.1", port).endswith(f" (process {os.getpid()})")
    assert holder("127.0.0.1", port) == ""


def test_the_holder_of_another_address_is_not_named():
    with socket.create_server(("127.0.0.2", 0)) as other:
        assert holder("127.0.0.1", other.getsockname()[1]) == ""


def test_an_address_of_another_machine():
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:\d+: .*; name an address of this machine"):
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
