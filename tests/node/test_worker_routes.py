"""A path that is a worker's own, beside all else, on one public port. Two processes' parts on one loop."""

import asyncio
import http.client
import tempfile
from pathlib import Path

from starlette.responses import Response

from angarium.config.load import parse_config
from angarium.core.clock import SystemClock
from angarium.node.http.whole import NodeHttp
from angarium.node.http.worker import WorkerHttp
from angarium.node.operations import NodeOperations
from angarium.node.session_counts import SessionCounts
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S, free_port

HEALTHY = {"accepting": "", "unwell": "", "note": "", "recovered": True, "listening": 1}


async def submit(scope, receive, send):
    """What a dialect will be: it ends in a message."""
    await Response(f"{scope['method']} taken from {scope['client'][0]}", 202)(scope, receive, send)


def with_node(fake, client, *, has_worker):
    """Serve while *client*, a function of the port, asks from a thread; return what it returned."""
    fake.says["health"] = HEALTHY

    async def run():
        with tempfile.TemporaryDirectory() as folder:
            data, clock, log = Path(folder), SystemClock(), kept_log()
            counts = SessionCounts(SessionCounts.make_fd(1), 1, 0).http
            node = NodeHttp(
                data, NodeOperations(fake), counts.taken, lambda: has_worker, clock, log, ["/submit"]
            )
            node.claim()
            port = free_port()
            node.open(parse_config(f'HTTP_Listener {{ Listen "127.0.0.1:{port}" {{ }} }}'))
            await node.start([])
            worker = WorkerHttp({"/submit": submit}, data, 1, counts, clock, log)
            await worker.start()
            if has_worker:
                worker.listen({name: sock.dup().detach() for name, sock in node.public.items()})
            try:
                return await asyncio.to_thread(client, port)
            finally:
                worker.close()
                await worker.stop()
                await node.stop()
                assert counts.surplus() == 0

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def asked(connection, path):
    connection.request("POST" if path == "/submit" else "GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_one_connection_is_served_by_the_worker_and_by_what_is_behind_it(node):
    def client(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        answers = [asked(connection, path)[:2] for path in ("/submit", "/healthz", "/submit", "/nothing")]
        connection.close()
        return answers

    first, health, again, nothing = with_node(node, client, has_worker=True)
    assert first == again == (202, b"POST taken from 127.0.0.1")
    assert health == (200, b'{"ok":true,"reasons":[]}')
    assert nothing[0] == 404


def test_without_a_worker_its_path_is_away_and_all_else_is_answered(node):
    def client(port):
        answers = []
        for path in ("/submit", "/healthz"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            answers.append(asked(connection, path))
            connection.close()
        return answers

    (status, body, headers), health = with_node(node, client, has_worker=False)
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert b"no worker takes mail" in body
    assert int(headers["retry-after"]) > 0
    assert headers["connection"] == "close"  # the next one is to find a worker
    assert health[0] == 200
