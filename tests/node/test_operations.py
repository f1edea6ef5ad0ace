"""What operators ask over the control socket: what the workers are asked, and what the client gets."""

import asyncio
import tempfile
from contextlib import aclosing
from itertools import islice
from pathlib import Path

import pytest
from starlette.applications import Starlette

from angarium.cli.client import ControlClient, RequestRefused
from angarium.core.errors import AngariumError
from angarium.core.operations import ActArgs, Changed, Progress, SelectionArgs, TraceArgs
from angarium.http.operate.routes import make_operate_routes
from angarium.node.control import ControlServer
from angarium.node.operations import NodeOperations
from angarium.node.streams import MAX_WAITING
from angarium.testing.programs import PATIENCE_S

ID = "0190163d8694739b9ea5966c26f8ad91"


def served(node, client):
    """Serve *node* on a socket, and return what *client*, which is given a connection to it, returns."""

    def work(folder):
        with ControlClient(folder) as connection:
            return client(connection)

    async def run():
        with tempfile.TemporaryDirectory() as folder:
            server = ControlServer(Path(folder) / "control.sock")
            server.open()
            await server.serve(Starlette(routes=make_operate_routes(NodeOperations(node))))
            try:
                return await asyncio.to_thread(work, Path(folder))
            finally:
                await server.stop()

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def ask(node, op, args=None):
    """Carry out one operation and return its answer as the client sees it."""
    return served(node, lambda client: client.call(op, args or {}, kind=object))


def test_every_worker_is_asked_and_the_answers_merged(node):
    node.says["queues"] = lambda worker, args: [
        {"binding": "b", "domain": "example.com", "delayed": worker + 1}
    ]
    answer = ask(node, "queues", {"domain": "Example.COM"})
    assert answer["rows"][0]["delayed"] == 3
    assert node.asked == [(n, "queues", {"domain": "example.com", "binding": None}) for n in (0, 1)]


def test_a_domain_may_be_written_as_people_read_it(node):
    node.says["queues"] = node.says["recipients"] = []
    node.says["count"] = {"waiting": 0}
    ask(node, "queues", {"domain": "Bücher.example"})
    ask(node, "recipients", {"domain": "bücher.example"})
    ask(node, "count", {"selection": {"domain": "bücher.example"}})
    asked = [args.get("selection", args)["domain"] for worker, _, args in node.asked if worker == 0]
    assert asked == ["xn--bcher-kva.example"] * 3
    with pytest.raises(RequestRefused, match="domain"):
        ask(node, "queues", {"domain": "bü_c\u2028her..example"})


def test_a_worker_that_is_away_is_not_asked_but_named(node):
    node.gone = {1: "reading its spool"}
    node.says["queues"] = []
    assert ask(node, "queues")["problems"] == ["worker 1: reading its spool"]
    assert [worker for worker, _, _ in node.asked] == [0]


def test_a_worker_that_goes_away_meanwhile_is_named(node):
    def answer(worker, args):
        if worker == 1:
            raise AngariumError("the process that was asked has gone")
        return []

    node.says["queues"] = answer
    assert ask(node, "queues")["problems"] == ["worker 1: the process that was asked has gone"]


@pytest.mark.parametrize(
    ("op", "args", "sentence"),
    [
        ("dance", {}, "is no resource"),
        ("queues", {"domian": "example.com"}, "/domian|domian: is unknown; did you mean domain"),
        ("queues", {"limit": -1}, ">= 0"),
        ("message", {}, "id: is missing"),
        ("message", {"id": "42"}, "is not a message id"),
        ("recipients", {"state": "bounced"}, "invalid enum value 'bounced'"),
        ("act", {"action": "fail", "selection": {"message": "nonsense"}}, "is not a message id"),
        ("act", {"action": "reroute", "selection": {}}, "need a target"),
        ("act", {"action": "hold", "selection": {}, "target": "x"}, "take none"),
        ("trace", {}, "a domain or a message"),
        ("config_eval", {"words": ["Retry_Intervall"]}, "Retry_Intervall"),
    ],
)
def test_a_wrong_request_is_refused_before_anybody_is_asked(node, op, args, sentence):
    with pytest.raises(RequestRefused, match=sentence):
        ask(node, op, args)
    assert node.asked == []


def test_a_message_is_found_by_its_id_in_any_form(node):
    node.says["message"] = {}
    ask(node, "message", {"id": "0190163D-8694-739B-9EA5-966C26F8AD91"})
    assert node.asked[0] == (0, "message", {"id": ID})


def test_one_more_recipient_than_asked_for_tells_whether_there_are_more(node):
    rows = [{"message": ID, "recipient": f"{n}@example.com", "due_at": float(n)} for n in range(3)]
    node.says["recipients"] = lambda worker, args: rows[: args["limit"]] if worker == 0 else []
    answer = ask(node, "recipients", {"domain": "example.com", "limit": 2})
    assert (len(answer["rows"]), answer["more"]) == (2, True)


@pytest.mark.parametrize(
    ("action", "state"), [("flush", "queued"), ("hold", "queued"), ("release", "held"), ("fail", None)]
)
def test_the_count_is_of_what_the_action_would_change(node, action, state):
    node.says["count"] = {"waiting": 3, "in_flight": 1}
    answer = ask(node, "count", {"selection": {"domain": "example.com"}, "action": action})
    assert (answer["waiting"], answer["in_flight"]) == (6, 2)
    assert node.asked[0][2]["selection"]["state"] == state


def test_an_action_tells_its_progress_over_all_workers(node):
    async def run():
        all_told = asyncio.Event()
        operations = NodeOperations(node)

        async def act(worker, args):
            operations.heard("progress", {"name": args["name"], "worker": worker, "done": 10})
            await all_told.wait()
            return {"changed": 10, "in_flight": 1}

        node.says["act"] = act
        items = []
        async for item in operations.act(ActArgs("reroute", SelectionArgs(domain="a.example"), "b.example")):
            items.append(item)
            if item == Progress(20):
                all_told.set()
        assert items == [Progress(10), Progress(20), Changed(20, 2)]

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def test_the_client_hears_of_progress_before_the_answer(node):
    node.says["act"] = {"changed": 10, "in_flight": 1}
    assert ask(node, "act", {"action": "hold", "selection": {}})["changed"] == 20


def test_an_action_that_no_worker_can_do_is_an_error(node):
    def answer(worker, args):
        raise AngariumError("there is no binding 'x' in the configuration")

    node.says["act"] = answer
    with pytest.raises(RequestRefused, match=r"^there is no binding 'x' in the configuration$"):
        ask(node, "act", {"action": "rebind", "selection": {}, "target": "x"})


def test_a_client_that_leaves_does_not_stop_what_was_begun(node):
    async def run():
        begun, finish = asyncio.Event(), asyncio.Event()
        finished = []

        async def act(worker, args):
            begun.set()
            await finish.wait()
            finished.append(worker)
            return {"changed": 1, "in_flight": 0}

        node.says["act"] = act
        operations = NodeOperations(node)
        client = asyncio.create_task(anext(operations.act(ActArgs("hold", SelectionArgs()))))
        await begun.wait()
        client.cancel()
        await asyncio.wait([client])
        finish.set()
        await asyncio.gather(*operations._tasks)
        assert sorted(finished) == [0, 1]

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def test_a_trace_goes_on_until_the_client_leaves_and_then_stops_at_every_worker(node):
    async def run():
        operations = NodeOperations(node)
        node.says["trace_start"] = None
        node.says["trace_stop"] = None
        async with aclosing(operations.trace(TraceArgs(domain="Example.com"))) as items:
            assert await anext(items) == {"tracing": "example.com", "problems": []}
            name = node.asked[0][2]["name"]
            operations.heard("trace", {"name": name, "record": {"line": "EHLO me"}})
            operations.heard("trace", {"name": "another", "record": {"line": "not for us"}})
            assert await anext(items) == {"line": "EHLO me"}
        await asyncio.gather(*operations._tasks)
        assert [(worker, op) for worker, op, _ in node.asked[2:]] == [(0, "trace_stop"), (1, "trace_stop")]

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def test_a_client_that_hangs_up_ends_its_stream(node):
    """Also while nothing is said that could be sent to it."""
    stopped = asyncio.Event()

    async def stop(worker, args):
        stopped.set()

    node.says["trace_start"] = None
    node.says["trace_stop"] = stop

    async def run():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "control.sock"
            server = ControlServer(path)
            server.open()
            await server.serve(Starlette(routes=make_operate_routes(NodeOperations(node))))
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"GET /operate/v1/trace?domain=example.com HTTP/1.1\r\nHost: node\r\n\r\n")
            assert b"text/event-stream" in await reader.readuntil(b"\r\n\r\n")
            assert b"event: item" in await reader.readuntil(b"\n\n")
            writer.close()
            await stopped.wait()
            await server.stop()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def test_lines_that_a_slow_client_does_not_take_are_counted(node):
    async def run():
        operations = NodeOperations(node)
        node.says["trace_start"] = None
        node.says["trace_stop"] = None
        async with aclosing(operations.trace(TraceArgs(domain="example.com"))) as items:
            await anext(items)
            name = node.asked[0][2]["name"]
            for number in range(MAX_WAITING + 5):
                operations.heard("trace", {"name": name, "record": {"line": number}})
            lines = [await anext(items) for _ in range(MAX_WAITING + 1)]
        assert (lines[0], lines[-1]) == ({"line": 0}, {"lost": 5})

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def test_status_tells_what_the_supervisor_knows_and_the_health_of_the_workers(node):
    node.says["queues"] = [{"binding": "b", "domain": "example.com", "active": 1}]
    node.says["health"] = {"accepting": "", "unwell": "", "recovered": True, "listening": 1}
    answer = ask(node, "status")
    assert answer["node"]["generation"] == 3
    assert answer["health"] == {"not_ready": [], "unwell": [], "conditions": []}
    assert answer["totals"]["active"] == 2
    assert answer["lately"] is None  # nobody has looked before


def test_top_sends_glances_until_the_client_leaves(node):
    node.says.update(
        queues=[],
        health={"accepting": "", "unwell": "", "recovered": True},
        stats={"since": 1, "numbers": [["queues", [], 1]]},
    )

    def client(connection):
        return list(islice(connection.stream("top", {"interval_s": 0.1}, kind=dict), 2))

    first, second = served(node, client)
    assert ["queues", [], 2.0] in first["stats"]
    assert ["worker_restarts_total", [], 1.0] in second["stats"]


def test_configuration_is_explained_from_what_is_in_force(node):
    answer = ask(node, "config_eval", {"words": ["binding", "b", "Retry_Interval"]})
    assert answer["record"]["value"] == 60
    assert answer["record"]["where"] == "angarium.conf:1"
    assert "Retry_Interval = 60" in ask(node, "config_show", {"defaults": False})["text"]


def test_reload_tells_the_generation_in_force(node):
    assert ask(node, "reload") == {
        "generation": 4,
        "changed_listeners": [],
        "needs_restart": [],
        "warnings": [],
    }
