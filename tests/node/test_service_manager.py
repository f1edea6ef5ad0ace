"""What a service manager is told, and what it passes: sd_notify(3) and sd_listen_fds(3), with a scripted one."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.config.problems import ConfigErrors
from angarium.config.values import ListenAddress
from angarium.core.clock import SystemClock
from angarium.node.passed_sockets import PassedSockets, sockets_of
from angarium.node.service_manager import ServiceManager
from angarium.testing.log import kept_log, records_of

PID = 77


class ScriptedManager:
    """Hears what a service says."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(30)

    def hear(self) -> list[str]:
        """Wait for what is said next."""
        return self._socket.recv(4096).decode().split("\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a path", "an abstract name"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "a path" else f"@angarium-{os.getpid()}"


@pytest.fixture
def manager(path: str) -> Iterator[ScriptedManager]:
    scripted = ScriptedManager(path.replace("@", "\0"))
    yield scripted
    scripted.close()


def node_of(**environ: str) -> ServiceManager:
    return ServiceManager.from_environment(environ, PID, SystemClock(), kept_log())


def test_it_hears_when_mail_is_taken_and_when_no_more(path: str, manager: ScriptedManager) -> None:
    node = node_of(NOTIFY_SOCKET=path)
    node.ready("takes mail")
    assert manager.hear() == ["READY=1", "STATUS=takes mail"]
    node.stopping()
    assert manager.hear()[0] == "STOPPING=1"


def test_it_hears_of_a_reload(path: str, manager: ScriptedManager) -> None:
    node = node_of(NOTIFY_SOCKET=path)
    node.ready("takes mail")
    with pytest.raises(ConfigErrors), node.reload():
        raise ConfigErrors([])
    manager.hear()
    said, at = manager.hear()
    assert said == "RELOADING=1"
    assert at.startswith("MONOTONIC_USEC=")
    assert manager.hear() == ["READY=1"]


def test_a_reload_before_the_first_mail_does_not_make_it_ready(path: str, manager: ScriptedManager) -> None:
    node = node_of(NOTIFY_SOCKET=path)
    with node.reload():
        pass
    node.stopping()
    assert manager.hear()[0] == "STOPPING=1"


def test_nobody_who_listens_is_nobody_told() -> None:
    node_of().ready("takes mail")


def test_one_that_has_gone_is_told_of_in_the_log(tmp_path: Path) -> None:
    log = kept_log()
    environ = {"NOTIFY_SOCKET": str(tmp_path / "gone")}
    ServiceManager.from_environment(environ, PID, SystemClock(), log).ready("takes mail")
    assert [record["event"] for record in records_of(log)] == ["service_manager"]


def signs_of(node: ServiceManager, manager: ScriptedManager, count: int) -> list[list[str]]:
    async def hear() -> list[list[str]]:
        task = asyncio.create_task(node.give_signs_of_life())
        signs = [await asyncio.to_thread(manager.hear) for _ in range(count)]
        task.cancel()
        return signs

    return asyncio.run(hear())


def test_while_the_spool_is_read_it_is_asked_for_time(path: str, manager: ScriptedManager) -> None:
    node = node_of(NOTIFY_SOCKET=path, WATCHDOG_USEC="20000", WATCHDOG_PID=str(PID))
    assert (
        signs_of(node, manager, 2)
        == [["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000", "STATUS=reading the spool"]] * 2
    )
    node.ready("takes mail")
    manager.hear()
    assert signs_of(node, manager, 3) == [["WATCHDOG=1"]] * 3


def test_a_watchdog_of_another_process_is_not_ours(path: str, manager: ScriptedManager) -> None:
    node = node_of(NOTIFY_SOCKET=path, WATCHDOG_USEC="20000", WATCHDOG_PID="1")
    assert "WATCHDOG=1" not in (signs_of(node, manager, 1))[0]


def test_workers_inherit_nothing_of_it(path: str) -> None:
    environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(PID), "HOME": "/"}
    ServiceManager.from_environment(environ, PID, SystemClock(), kept_log())
    assert environ == {"HOME": "/"}


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_a_socket_is_passed_to_who_listens_there(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    passed = PassedSockets([listening])
    assert passed.unused() == [f"127.0.0.1:{port}"]
    assert passed.take(ListenAddress("smtp", "127.0.0.1", port + 1)) is None
    taken = passed.take(ListenAddress("smtp", "127.0.0.1", port))
    assert taken is not None
    assert taken.getsockname() == listening.getsockname()
    assert passed.unused() == []
    taken.close()  # a reload takes the listener out, and another brings it back
    again = passed.take(ListenAddress("smtp", "127.0.0.1", port))
    assert again is not None
    again.close()


def test_one_for_datagrams_is_not_listened_on() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        passed = PassedSockets([sock])
        assert passed.take(ListenAddress("smtp", *sock.getsockname())) is None
        assert passed.unused() == ["{}:{}".format(*sock.getsockname())]


def test_a_unix_socket_is_passed_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        sock.listen()
        taken = PassedSockets([sock]).take(ListenAddress("users", path=str(tmp_path / "socket")))
        assert taken is not None
        taken.close()


@pytest.mark.parametrize("whose", [str(PID), "1", ""])
def test_what_is_passed_to_another_process_is_not_ours(listening: socket.socket, whose: str) -> None:
    fd = listening.dup().detach()
    environ = {"LISTEN_PID": whose, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
    found = sockets_of(environ, PID, fd)
    assert environ == {}
    if whose == str(PID):
        assert [sock.getsockname() for sock in found] == [listening.getsockname()]
        assert not found[0].get_inheritable()
        found[0].close()
    else:
        assert found == []
        os.close(fd)
