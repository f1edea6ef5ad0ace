"""Postmark's API as an application: whose token, what is asked, and the answer in Postmark's shape.

What the handlers do blocks on the stores, so each runs in a thread.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from angarium.dialects.postmark.problem import (
    BAD_JSON,
    FAULT,
    JSON_WANTED,
    MAINTENANCE,
    NOT_FOUND,
    PostmarkProblem,
)
from angarium.dialects.postmark.reading import body_of, decoded, query_of
from angarium.events.bodies.port import BodyStoreError
from angarium.events.port import EventStoreError
from angarium.http.api.endpoint import Endpoint
from angarium.http.postmark.routing import Paths
from angarium.sql.errors import StoreError

MOST_BODY_BYTES: Final = 10 << 20
_JSON: Final = "application/json"
_HEADERS: Final = {"Cache-Control": "no-store"}

Admit = Callable[[Request, Endpoint], Awaitable[Any]]
"""Returns what the handler gets as its first argument. Raises PostmarkProblem."""


class PostmarkApp:
    """Answers *endpoints*, each admitted by *admit*."""

    def __init__(self, endpoints: Iterable[Endpoint], admit: Admit) -> None:
        self._paths = Paths(endpoints)
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A fault of ours is raised again behind its answer, so that the server logs it."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except PostmarkProblem as problem:
            response = refused(problem)
        except Exception:
            said = (
                "An internal error has occurred; whether it was done is not known. The node's log says why."
            )
            await refused(PostmarkProblem(FAULT, said))(scope, receive, send)
            raise
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        endpoint, parameters = self._found(request)
        call = await self._admit(request, endpoint)
        _check_accepts(request)
        arguments: dict[str, Any] = {
            name: _named(parameters[name], kind) for name, kind in endpoint.parameters.items()
        }
        if endpoint.query is not None:
            arguments["query"] = query_of(request.query_params.multi_items(), endpoint.query)  # type: ignore[type-var]
        if endpoint.body is not None:
            arguments["body"] = body_of(decoded(await _read(request)), endpoint.body)  # type: ignore[type-var]
        answer = await _carried_out(endpoint, call, arguments)
        return Response(msgspec.json.encode(answer), 200, _HEADERS, f"{_JSON}; charset=utf-8")

    def _found(self, request: Request) -> tuple[Endpoint, Any]:
        found = self._paths.find(request.scope["path"])
        if found is None:
            raise PostmarkProblem(
                NOT_FOUND, f"There is nothing at {request.scope['path'][:200]}.", status=404
            )
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = found.endpoints.get(method)
        if endpoint is None:
            allowed = ", ".join(found.endpoints)
            said = f"The method {method} is not for this; use {allowed}."
            raise PostmarkProblem(NOT_FOUND, said, status=405, headers={"Allow": allowed})
        return endpoint, found.parameters


def refused(problem: PostmarkProblem) -> Response:
    """Return the answer that refuses."""
    headers = {**_HEADERS, "X-PM-ApiErrorCode": str(problem.code), **problem.headers}
    body = msgspec.json.encode(problem.answer())
    return Response(body, problem.status, headers, f"{_JSON}; charset=utf-8")


def away(said: str) -> ASGIApp:
    """Return an application that says that this cannot be answered at the moment."""
    return refused(PostmarkProblem(MAINTENANCE, said, headers={"Retry-After": "1"}))


async def _carried_out(endpoint: Endpoint, call: Any, arguments: dict[str, Any]) -> Any:
    try:
        if inspect.iscoroutinefunction(endpoint.handler):
            return await endpoint.handler(call, **arguments)
        return await asyncio.to_thread(endpoint.handler, call, **arguments)
    except (StoreError, EventStoreError, BodyStoreError) as error:
        said = "The service is in maintenance: a store does not answer. Try again in a moment."
        raise PostmarkProblem(MAINTENANCE, said, headers={"Retry-After": "5"}) from error


def _named(text: str, kind: type) -> Any:
    """Return what a path names; for what is no number, one that nothing has."""
    if kind is not int:
        return text
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _check_accepts(request: Request) -> None:
    accepted = request.headers.get("accept", "*/*").lower()
    if not any(word in accepted for word in ("json", "*/*", "application/*")):
        raise PostmarkProblem(JSON_WANTED, "The Accept header must allow application/json.")


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BODY_BYTES:
                said = f"The body is larger than {MOST_BODY_BYTES >> 20} MB; send less."
                raise PostmarkProblem(BAD_JSON, said, status=413, headers={"Connection": "close"})
    except ClientDisconnect as error:
        raise PostmarkProblem(BAD_JSON, "The connection was closed before the body had come.") from error
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media_type != _JSON:
        raise PostmarkProblem(
            JSON_WANTED, f"The Content-Type must be {_JSON}, not {media_type[:100] or 'missing'}."
        )
    return bytes(body)
