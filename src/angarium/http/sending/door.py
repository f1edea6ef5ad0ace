"""The door of one dialect: an ASGI application by which mail is sent."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import KeyedAnswer, Origin
from angarium.core.submission import Problem, Reason, Receipt
from angarium.http.sending.bodies import Bodies, BodyRefused, ClientGone
from angarium.http.sending.dialect import (
    AskedMail,
    DialectAnswer,
    DialectRefusal,
    SendingDialect,
    SendingRequest,
    Taking,
)
from angarium.identity.principal import Principal
from angarium.submission.keys.claim import KeyClaim, claim_of, key_problem, until_of
from angarium.submission.requests.requests import LISTENER, Requests

KEY_FIELD: Final = "idempotency-key"
REPLAYED: Final = {"Idempotency-Replayed": "true"}
"""Says of an answer that it was given before."""
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
        key, keys = request.headers.get(KEY_FIELD), self._requests.keys
        taker = _Taker(self._dialect, self._requests, self._clock, request, principal, origin)
        if key is None or keys is None:
            return await taker.take(body)
        problem = key_problem(key)
        if problem is not None:
            return self._refuse(request, problem)
        claim = claim_of(principal, key, _asked(request, body))
        found = await keys.claim(claim)
        if isinstance(found, Problem):
            return self._refuse(request, found)
        if found is not None:
            return DialectAnswer(found.status, found.body, found.media_type, REPLAYED)
        try:
            answer = await taker.take(body, claim)
        except Exception:
            await keys.free(claim.key)
            raise
        if not taker.is_kept:
            await keys.free(claim.key)
        return answer

    def _refuse(self, request: SendingRequest, problem: Problem) -> DialectAnswer:
        return self._dialect.refuse(request, (problem,), self._clock.now())

    def _refuse_unread(self, request: SendingRequest, problem: Problem) -> DialectAnswer:
        answer = self._refuse(request, problem)
        return DialectAnswer(answer.status, answer.body, answer.media_type, {**answer.headers, **_UNREAD})


class _Taker:
    """Has the mail of one request taken. *is_kept*: mail was taken, and the answer is kept with it if it has a key."""

    def __init__(
        self,
        dialect: SendingDialect,
        requests: Requests,
        clock: Clock,
        request: SendingRequest,
        principal: Principal,
        origin: Origin,
    ) -> None:
        self.is_kept = False
        self._dialect = dialect
        self._requests = requests
        self._clock = clock
        self._request = request
        self._principal = principal
        self._origin = origin
        self._sealed: DialectAnswer | None = None

    async def take(self, body: bytes, claim: KeyClaim | None = None) -> DialectAnswer:
        limits = self._requests.limits_of(self._principal)
        taking = Taking(principal=self._principal, now=self._clock.now(), limits=limits)
        asked = self._dialect.read(self._request, body, taking)
        receipts = await self._requests.take(
            self._principal,
            asked.mails,
            self._origin,
            dry=asked.is_dry,
            seal=partial(self._seal, asked, claim) if claim is not None else None,
        )
        self.is_kept = not asked.is_dry and any(receipt.messages for receipt in receipts)
        if self.is_kept and self._sealed is not None:
            return self._sealed
        return self._dialect.answer(self._request, asked, receipts, self._clock.now())

    def _seal(
        self, asked: AskedMail, claim: KeyClaim, receipts: Sequence[Receipt], due: Sequence[float | None]
    ) -> KeyedAnswer:
        now = self._clock.now()
        answer = self._sealed = self._dialect.answer(self._request, asked, receipts, now)
        return KeyedAnswer(
            key=claim.key,
            digest=claim.digest,
            status=answer.status,
            media_type=answer.media_type,
            body=answer.body,
            until=until_of(now, due),
        )


def _asked(request: SendingRequest, body: bytes) -> Iterator[bytes]:
    yield f"{request.method} {request.path}?".encode() + request.query + b"\0"
    yield body


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
