"""An API as an application: who asks, may they, what do they ask, and the answer as JSON or as a problem.

What the handlers do blocks on the store, so each runs in a thread.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from angarium.events.bodies.port import BodyStoreError
from angarium.events.port import EventStoreError
from angarium.http.api.decoding import decode_body, decode_query
from angarium.http.api.endpoint import Api, Endpoint
from angarium.http.api.openapi import document
from angarium.http.api.problem import MEDIA_TYPE, FieldError, HttpProblem, unavailable
from angarium.http.api.stream import lined, pieced, streamed
from angarium.sql.errors import Conflict, Invalid, NotFound, StoreError

MAX_BODY_BYTES: Final = 1 << 20
_JSON: Final = "application/json"
_HEADERS: Final = {"Cache-Control": "no-store"}


class _Nothing(msgspec.Struct):
    """The query of a request that takes none."""


Admit = Callable[[Request, Endpoint], Awaitable[Any]]
"""Returns what the handler gets as its first argument: who asks, and what may be touched. Raises HttpProblem."""


def make_routes(api: Api, admit: Admit) -> list[BaseRoute]:
    """Return *api* as routes to be mounted at the top of an application."""
    paths: dict[str, list[Endpoint]] = {}
    for endpoint in api.endpoints:
        paths.setdefault(endpoint.path, []).append(endpoint)
    routes = [
        Route(path, _Resource(endpoints, admit, api.refusals, _methods_of(api.elsewhere, path)))
        for path, endpoints in paths.items()
    ]
    described = Response(msgspec.json.encode(document(api)), media_type=_JSON)

    async def openapi(request: Request) -> Response:
        return described

    async def nothing(request: Request, error: Exception) -> Response:
        return await _answer_http(request, error, api.prefix)

    app = Starlette(
        routes=[Route("/openapi.json", openapi), *routes],
        exception_handlers={HttpProblem: _answer_problem, HTTPException: nothing, Exception: _answer_fault},
    )
    app.router.redirect_slashes = False  # to what the Host header says, and without the encryption of a proxy
    mount = Mount(api.prefix, app=app)
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)  # a path may hold an escaped line end
    return [mount]


def _methods_of(endpoints: Sequence[Endpoint], path: str) -> tuple[str, ...]:
    return tuple(endpoint.method for endpoint in endpoints if endpoint.path == path)


class _Resource:
    """All methods of one path, but for those that are answered *elsewhere*."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        admit: Admit,
        refusals: tuple[type[Exception], ...],
        elsewhere: tuple[str, ...],
    ) -> None:
        self._methods = {endpoint.method: endpoint for endpoint in endpoints}
        self._admit = admit
        self._refusals = refusals
        self._elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        endpoint = self._endpoint(request.method)
        call = await self._admit(request, endpoint)
        arguments = await _arguments(endpoint, request)
        try:
            return _response(endpoint, request.url.path, await _carry_out(endpoint, call, arguments))
        except HttpProblem:
            raise
        except self._refusals as error:
            raise HttpProblem("conflict", str(error)) from error

    def _endpoint(self, method: str) -> Endpoint:
        found = self._methods.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = ", ".join((*self._methods, *self._elsewhere))
            raise HttpProblem(
                "method", f"{method} is not for this; use {allowed}", headers={"Allow": allowed}
            )
        return found


async def _arguments(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    found = {name: _in_path(request.path_params[name], kind) for name, kind in endpoint.parameters.items()}
    query = decode_query(request.query_params.multi_items(), endpoint.query or _Nothing)
    if endpoint.query is not None:
        found["query"] = query
    if endpoint.body is not None:
        found["body"] = decode_body(await _read(request), endpoint.body)
    return found


def _in_path(text: str, kind: type) -> Any:
    if kind is not int:
        return text
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise HttpProblem("not-found", f"{text} is no id; ids are numbers, as the listings show them")
    return int(text)


async def _read(request: Request) -> bytes:
    media_type = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    if media_type != _JSON:
        raise HttpProblem("media-type", f"the body is {media_type}; send {_JSON}")
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise _too_large()
    except ClientDisconnect as error:
        raise HttpProblem("invalid", "the connection was closed before the body had come") from error
    return bytes(body)


def _too_large() -> HttpProblem:
    said = f"the body is larger than {MAX_BODY_BYTES} bytes; send less"
    return HttpProblem("too-large", said, headers={"Connection": "close"})


async def _carry_out(endpoint: Endpoint, call: Any, arguments: dict[str, Any]) -> Any:
    try:
        if endpoint.media:
            return await pieced(endpoint.handler(call, **arguments), endpoint.media)
        if endpoint.streams:
            return await (lined if endpoint.lines else streamed)(endpoint.handler(call, **arguments))
        if inspect.iscoroutinefunction(endpoint.handler):
            return await endpoint.handler(call, **arguments)
        return await asyncio.to_thread(endpoint.handler, call, **arguments)
    except NotFound as error:
        raise HttpProblem("not-found", str(error)) from error
    except Conflict as error:
        raise HttpProblem("conflict", str(error)) from error
    except Invalid as error:
        pointer = f"/{error.field.replace('.', '/')}"
        raise HttpProblem("invalid", str(error), [FieldError(pointer, str(error))]) from error
    except StoreError as error:
        raise unavailable() from error
    except (EventStoreError, BodyStoreError) as error:
        raise unavailable("the event store") from error


def _response(endpoint: Endpoint, path: str, answer: Any) -> Response:
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status_code=endpoint.status, headers=_HEADERS)
    headers = dict(_HEADERS)
    if endpoint.status == 201:
        headers["Location"] = f"{path}/{answer.id}"
    return Response(msgspec.json.encode(answer), endpoint.status, headers, _JSON)


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpProblem)
    return Response(error.body(), error.status, {**_HEADERS, **error.headers}, MEDIA_TYPE)


async def _answer_http(request: Request, error: Exception, prefix: str) -> Response:
    """Answer what the router refuses: there is no such path, or /openapi.json is not asked for by GET."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET")
        return await _answer_problem(
            request,
            HttpProblem("method", f"{request.method} is not for this; use {allowed}", headers=error.headers),
        )
    return await _answer_problem(
        request, HttpProblem("not-found", f"{request.url.path} is no resource; see {prefix}/openapi.json")
    )


async def _answer_fault(request: Request, error: Exception) -> Response:
    """Answer for a fault of ours. It is raised again behind the answer, so that the server logs it."""
    detail = "the node could not carry this out; whether it was done is not known. Its log says why"
    return await _answer_problem(request, HttpProblem("internal", detail))
