"""The token that all of Postmark's clients may use to try out what they send: it is looked at, and nothing is done."""

import uuid
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from angarium.core.clock import Clock
from angarium.dialects.postmark.message import AskedMessage
from angarium.dialects.postmark.problem import BAD_JSON, PostmarkProblem
from angarium.http.postmark.application import refused
from angarium.http.postmark.gate import SERVER_HEADER
from angarium.http.postmark.sending.dialect import MessageWords, accepted
from angarium.http.sending.dialect import JSON_TYPE, SendingRequest

TRIAL_TOKEN: Final = "postmark_api_test"
_MESSAGE: Final = "Test job accepted"
_MOST_BYTES: Final = 10 << 20


class TrialDoor:
    """An ASGI application: answers who shows the test token in *words*; *door* answers all others."""

    def __init__(self, words: MessageWords, door: ASGIApp, clock: Clock) -> None:
        self._words = words
        self._door = door
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if _token(scope) != TRIAL_TOKEN:
            return await self._door(scope, receive, send)
        try:
            response = await self._answer(Request(scope, receive))
        except PostmarkProblem as problem:
            response = refused(problem)
        except ClientDisconnect:
            return None
        return await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _MOST_BYTES:
                said = f"The body is larger than {_MOST_BYTES >> 20} MB; send less."
                raise PostmarkProblem(BAD_JSON, said, status=413, headers={"Connection": "close"})
        seen = SendingRequest(
            method=request.method, path=request.url.path, headers=dict(request.headers.items())
        )
        told = [self._told(each) for each in self._words.messages(seen, bytes(body))]
        if self._words.is_batch:
            return _json([each.answer() if isinstance(each, PostmarkProblem) else each for each in told])
        (one,) = told
        return refused(one) if isinstance(one, PostmarkProblem) else _json(one)

    def _told(self, value: Any) -> dict[str, Any] | PostmarkProblem:
        asked = self._words.asked(value)
        if not isinstance(asked, AskedMessage):
            return asked
        return accepted(asked, str(uuid.uuid4()), self._clock.now(), _MESSAGE)


def _token(scope: Scope) -> str:
    name = SERVER_HEADER.encode()
    return (
        next((value for key, value in scope["headers"] if key == name), b"").decode("latin-1").strip().lower()
    )


def _json(value: Any) -> Response:
    return Response(
        msgspec.json.encode(value), 200, {"Cache-Control": "no-store"}, f"{JSON_TYPE}; charset=utf-8"
    )
