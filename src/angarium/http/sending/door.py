"""The door of one dialect: an ASGI application by which mail is sent."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Origin
from angarium.core.submission import Problem, Reason
from angarium.http.sending.bodies import Bodies, BodyRefused, ClientGone
from angarium.http.sending.dialect import (
    DialectAnswer,
    DialectRefusal,
    SendingDialect,
    SendingRequest,
    Taking,
)
from angarium.identity.principal import Principal
from angarium.submission.requests.requests import LISTENER, Requests

_UNREAD: Final = {"Connection": "close"}
"""What is still to come of a body that is refused would be read for nothing."""


class SendingDoor:
    """Has the mail of requests taken that *dialect* understands."""

    def __init__(
        self, dialect: SendingDialect, requests: Requests, bodies: Bodies, clock: Clock, log: Log
    ) -> None:
        self._dialect = dialect
        self._requests = requests
        self._bodies = bodies
        self._clock = clock
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = _request_of(scope)
        try:
            answer = await self._answer(request, scope, receive)
        except DialectRefusal as refusal:
            answer = refusal.answer
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the client is told in its own words, and the log why
            self._log.fault(self._clock.now(), error)
            answer = self._refuse(request, Problem(Reason.FAULT))
        await _response(answer)(scope, receive, send)

    async def _answer(self, request: SendingRequest, scope: Scope, receive: Receive) -> DialectAnswer:
        now = self._clock.now()
        claim = self._dialect.claim(request)
        if claim is None:
            return self._refuse_unread(request, Problem(Reason.LOGIN_MISSING))
        principal = await self._requests.sender_of(claim, request.peer_ip, now)
        if isinstance(principal, Problem):
            return self._refuse_unread(request, principal)
        if self._requests.refuses is not None:
            return self._refuse_unread(request, self._requests.refuses)
        try:
            body = await self._bodies.read(receive, _size_of(request))
        except BodyRefused as error:
            return self._refuse_unread(request, error.problem)
        try:
            return await self._take(request, bytes(body.data), principal, _origin_of(scope))
        finally:
            body.let_go()

    async def _take(
        self, request: SendingRequest, body: bytes, principal: Principal, origin: Origin
    ) -> DialectAnswer:
        limits = self._requests.limits_of(principal)
        taking = Taking(principal=principal, now=self._clock.now(), limits=limits)
        asked = self._dialect.read(request, body, taking)
        receipts = await self._requests.take(principal, asked.mails, origin, dry=asked.is_dry)
        return self._dialect.answer(request, asked, receipts, self._clock.now())

    def _refuse(self, request: SendingRequest, problem: Problem) -> DialectAnswer:
        return self._dialect.refuse(request, (problem,), self._clock.now())

    def _refuse_unread(self, request: SendingRequest, problem: Problem) -> DialectAnswer:
        answer = self._refuse(request, problem)
        return DialectAnswer(answer.status, answer.body, answer.media_type, {**answer.headers, **_UNREAD})


def _request_of(scope: Scope) -> SendingRequest:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    client = scope.get("client")
    return SendingRequest(
        method=scope["method"],
        path=scope["path"],
        headers=headers,
        query=scope["query_string"],
        peer_ip=client[0] if client else "",
    )


def _size_of(request: SendingRequest) -> int | None:
    said = request.headers.get("content-length", "")
    return int(said) if said.isdecimal() and len(said) < 19 else None


def _origin_of(scope: Scope) -> Origin:
    client = scope.get("client")
    return Origin(listener=LISTENER, peer=_peer(*client[:2]) if client else "", protocol="HTTP")


def _peer(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _response(answer: DialectAnswer) -> Response:
    headers: Mapping[str, str] = {"Cache-Control": "no-store", **answer.headers}
    return Response(answer.body, answer.status, headers, answer.media_type)
