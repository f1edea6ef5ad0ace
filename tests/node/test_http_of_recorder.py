"""Requests on the paths that the recorder answers, while it is not there."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.routing import Route

from angarium.node.http import recorder
from angarium.node.http.recorder import RecorderHttp, with_recorder


async def other(scope, receive, send):
    await Response("other")(scope, receive, send)


async def found(request):
    return Response("found")


async def ask(folder: Path, path: str):
    """Return status, headers and body of an answer to GET."""
    said = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"x")],
        "client": ("192.0.2.7", 40_000),
    }
    coming = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return coming.pop() if coming else await asyncio.Future()

    async def send(message):
        said.append(message)

    await with_recorder(other, folder)(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], headers, b"".join(each.get("body", b"") for each in said[1:])


def test_without_it_the_answer_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "START_S", 0)
    status, headers, body = asyncio.run(ask(tmp_path, "/manage/v1/messages"))
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert "the recorder" in json.loads(body)["detail"]
    assert headers["retry-after"]


@pytest.mark.parametrize("path", ["/healthz", "/", "/manage/v10", "/manage/v1x/messages"])
def test_all_else_goes_on(tmp_path, path):
    assert asyncio.run(ask(tmp_path, path))[2] == b"other"


def test_a_request_waits_for_one_that_is_being_started(tmp_path):
    async def run():
        waiting = asyncio.create_task(ask(tmp_path, "/manage/v1/messages"))
        await asyncio.sleep(0)
        assert not waiting.done()
        http = RecorderHttp(tmp_path, [Route("/manage/v1/messages", found)])
        await http.start()
        answer = await waiting
        await http.stop()
        return answer

    assert asyncio.run(run())[2] == b"found"
