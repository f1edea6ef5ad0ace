"""The control socket: lines of JSON, one answer after another, streams until the client hangs up."""

import asyncio
import os
import socket
import stat

import pytest

from angarium.core.errors import AngariumError
from angarium.node.control import MAX_CLIENTS, ControlError, ControlServer, open_control_socket
from angarium.testing.programs import PATIENCE_S


async def echo(op, args, send_item):
    """Answers `repeat` with its own arguments, after as many items as asked for."""
    if op == "fail":
        raise AngariumError("there is no such thing")
    if op == "fault":
        raise KeyError("surprise")
    for number in range(args.get("items", 0)):
        await send_item(number)
    return args


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.sock"


def serving(path, test, handle=echo, streams=frozenset()):
    """Run *test* beside a server."""

    async def run():
        server = ControlServer(path, handle, streams)
        await server.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test(server)
        finally:
            await server.stop()

    asyncio.run(run())


def test_items_come_before_the_result_and_the_client_may_ask_again(path, dial):
    async def test(server):
        client = await dial(path)
        client.say({"op": "repeat", "args": {"items": 2}})
        assert [await client.hear() for _ in range(3)] == [{"item": 0}, {"item": 1}, {"result": {"items": 2}}]
        client.say({"op": "repeat"})
        assert await client.hear() == {"result": {}}

    serving(path, test)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"op": "fail"}, "there is no such thing"),
        ("no json", "not a request"),
        ("[]", "not a request"),
        ({"op": 5}, "not a request"),
        ({"args": {}}, "not a request"),
        ({"op": "x", "args": []}, "not a request"),
        (b"\xff\xfe", "not a request"),
    ],
)
def test_a_wrong_request_gets_a_sentence_and_the_connection_goes_on(path, dial, line, error):
    async def test(server):
        client = await dial(path)
        client.say(line)
        assert error in (await client.hear())["error"]
        client.say({"op": "repeat"})
        assert await client.hear() == {"result": {}}

    serving(path, test)


def test_a_fault_in_one_answer_is_reported_and_ends_nothing(path, dial):
    async def test(server):
        faults = []
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: faults.append(context["exception"])
        )
        client = await dial(path)
        client.say({"op": "fault"})
        assert "internal error" in (await client.hear())["error"]
        assert [type(fault) for fault in faults] == [KeyError]
        client.say({"op": "repeat"})
        assert await client.hear() == {"result": {}}

    serving(path, test)


def test_a_request_without_end_is_refused(path, dial):
    async def test(server):
        client = await dial(path)
        client.say("x" * 200_000)
        assert "longer than" in (await client.hear())["error"]
        assert await client.hear() is None

    serving(path, test)


def test_several_clients_are_served_at_once(path, dial):
    first_may_go_on = asyncio.Event()

    async def handle(op, args, send_item):
        if op == "first":
            await first_may_go_on.wait()
        else:
            first_may_go_on.set()
        return op

    async def test(server):
        one, two = await dial(path), await dial(path)
        one.say({"op": "first"})
        two.say({"op": "second"})
        assert await two.hear() == {"result": "second"}
        assert await one.hear() == {"result": "first"}

    serving(path, test, handle)


def test_more_clients_than_allowed_are_told_so(path, dial):
    async def test(server):
        clients = [await dial(path) for _ in range(MAX_CLIENTS)]
        for client in clients:
            client.say({"op": "repeat"})
            assert await client.hear() == {"result": {}}
        late = await dial(path)
        assert "connected already" in (await late.hear())["error"]

    serving(path, test)


def test_a_stream_ends_when_the_client_hangs_up_though_nothing_is_sent(path, dial):
    ended = asyncio.Event()

    async def handle(op, args, send_item):
        try:
            await send_item("begun")
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def test(server):
        client = await dial(path)
        client.say({"op": "watch"})
        assert await client.hear() == {"item": "begun"}
        client.writer.close()
        await ended.wait()

    serving(path, test, handle, frozenset({"watch"}))


def test_a_client_that_has_nothing_more_to_say_still_gets_its_answer(path, dial):
    asked = asyncio.Event()

    async def handle(op, args, send_item):
        await asked.wait()
        return "late"

    async def test(server):
        client = await dial(path)
        client.say({"op": "slow"})
        client.writer.write_eof()
        asked.set()
        assert await client.hear() == {"result": "late"}
        assert await client.hear() is None

    serving(path, test, handle)


def test_stopping_hangs_up_on_streams_and_removes_the_socket(path, dial):
    async def handle(op, args, send_item):
        await send_item("begun")
        await asyncio.Event().wait()

    async def test(server):
        client = await dial(path)
        client.say({"op": "watch"})
        assert await client.hear() == {"item": "begun"}
        await server.stop()
        assert await client.hear() is None
        assert not path.exists()

    serving(path, test, handle, frozenset({"watch"}))


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


def test_a_second_node_is_refused_and_the_first_goes_on(path, dial):
    async def test(server):
        with pytest.raises(ControlError, match="another node is running"):
            await ControlServer(path, echo).start()
        client = await dial(path)
        client.say({"op": "repeat"})
        assert await client.hear() == {"result": {}}

    serving(path, test)


def test_a_socket_that_nobody_answers_on_is_replaced(path, dial):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))

    async def test(server):
        client = await dial(path)
        client.say({"op": "repeat"})
        assert await client.hear() == {"result": {}}

    serving(path, test)


def test_a_socket_that_another_node_has_put_in_its_place_is_left_there(path):
    async def run():
        server = ControlServer(path, echo)
        await server.start()
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
