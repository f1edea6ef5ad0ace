"""The control socket: the owner's alone, one node at a time, and what is answered on it."""

import asyncio
import os
import socket
import stat

import pytest
from starlette.responses import Response

from angarium.node.control import ControlError, ControlServer, open_control_socket
from angarium.testing.programs import PATIENCE_S


async def hello(scope, receive, send):
    await Response(f"hello {scope['path']}")(scope, receive, send)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.sock"


def serving(path, test, app=hello):
    """Run *test* beside a server."""

    async def run():
        server = ControlServer(path)
        server.open()
        await server.serve(app)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test(server)
        finally:
            await server.stop()

    asyncio.run(run())


async def ask(path, target="/there"):
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.rpartition(b"\r\n\r\n")[2]


def test_who_connects_before_it_is_served_waits(path):
    async def run():
        server = ControlServer(path)
        server.open()
        asking = asyncio.ensure_future(ask(path))
        await asyncio.sleep(0)
        await server.serve(hello)
        try:
            assert await asking == b"hello /there"
        finally:
            await server.stop()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


@pytest.mark.slow
def test_stopping_hangs_up_on_who_waits_and_removes_the_socket(path):
    asked = asyncio.Event()

    async def slowly(scope, receive, send):
        asked.set()
        await asyncio.Event().wait()

    async def test(server):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET / HTTP/1.1\r\nHost: node\r\n\r\n")
        await asked.wait()
        await server.stop()
        assert await reader.read() == b""
        writer.close()
        assert not path.exists()

    serving(path, test, slowly)


def test_only_the_owner_may_connect(path):
    with open_control_socket(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_anybody_may_write_to_is_refused(path):
    path.parent.chmod(0o777)
    with pytest.raises(ControlError, match="anybody may write"):
        open_control_socket(path)


def test_a_folder_of_another_user_is_refused(path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: path.parent.stat().st_uid + 1)
    with pytest.raises(ControlError, match="belongs to another user"):
        open_control_socket(path)


def test_a_second_node_is_refused_and_the_first_goes_on(path):
    async def test(server):
        with pytest.raises(ControlError, match="another node is running"):
            ControlServer(path).open()
        assert await ask(path) == b"hello /there"

    serving(path, test)


def test_a_socket_that_nobody_answers_on_is_replaced(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))

    async def test(server):
        assert await ask(path) == b"hello /there"

    serving(path, test)


def test_a_socket_that_another_node_has_put_in_its_place_is_left_there(path):
    async def run():
        server = ControlServer(path)
        server.open()
        path.unlink()
        with open_control_socket(path):
            await server.stop()
            assert path.is_socket()

    asyncio.run(run())


def test_a_data_folder_may_have_a_long_name(tmp_path):
    folder = tmp_path.joinpath(*["deep" * 10] * 5)
    folder.mkdir(parents=True)
    with open_control_socket(folder / "control.sock"):
        assert (folder / "control.sock").is_socket()
