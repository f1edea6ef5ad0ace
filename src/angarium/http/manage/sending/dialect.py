"""The manage API's own words for sending. Implements `SendingDialect`."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from angarium.core.records import ForwardPath
from angarium.core.submission import Problem, Reason, Receipt
from angarium.http.api.caller import key_of
from angarium.http.api.decoding import decode_body
from angarium.http.api.problem import MEDIA_TYPE, HttpProblem
from angarium.http.manage.sending.answers import BatchSent, MessageSent, problem_of, sent
from angarium.http.manage.sending.bodies import BatchNew, MessageNew
from angarium.http.manage.sending.reading import mail_of
from angarium.http.sending.dialect import (
    JSON_TYPE,
    AskedMail,
    DialectAnswer,
    DialectRefusal,
    SendingRequest,
    Taking,
)
from angarium.http.sending.keys import claim_of_key
from angarium.http.sending.statuses import retry_headers
from angarium.smtp.sasl.exchange import Claim

ACCEPTED: Final = 202
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="angarium"'}
_BEARER: Final = "`Authorization: Bearer KEY`"

T = TypeVar("T", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode
_ONE: Final = msgspec.json.Decoder(MessageNew)
_MANY: Final = msgspec.json.Decoder(BatchNew)


class _Words:
    """What one message and a batch have in common."""

    def claim(self, request: SendingRequest) -> Claim | None:
        """See SendingDialect."""
        said = request.headers.get("authorization")
        key = key_of([(b"authorization", said.encode("latin-1", "replace"))]) if said else None
        return claim_of_key(key) if key else None

    def refuse(self, request: SendingRequest, problems: Sequence[Problem], now: float) -> DialectAnswer:
        """See SendingDialect."""
        told = [_named(problem) for problem in problems]
        document = problem_of(told)
        headers = dict(retry_headers(told, now))
        if document.status == 401:
            headers |= _CHALLENGE
        return DialectAnswer(document.status, _encode(document), MEDIA_TYPE, headers)


class OneMessage(_Words):
    """`POST /manage/v1/messages`."""

    def read(self, request: SendingRequest, body: bytes, taking: Taking) -> AskedMail:
        """See SendingDialect."""
        said = _decoded(request, body, _ONE, MessageNew)
        mail = mail_of(said, taking)
        return AskedMail(mails=[mail], is_dry=said.dry_run, memo=mail.recipients)

    def answer(
        self, request: SendingRequest, asked: AskedMail, receipts: Sequence[Receipt], now: float
    ) -> DialectAnswer:
        """See SendingDialect."""
        (receipt,) = receipts
        if not receipt.messages:
            return self.refuse(request, receipt.problems, now)
        return DialectAnswer(
            200 if asked.is_dry else ACCEPTED, _encode(sent(asked.memo, receipt, is_dry=asked.is_dry))
        )


class Batch(_Words):
    """`POST /manage/v1/messages/batch`."""

    def read(self, request: SendingRequest, body: bytes, taking: Taking) -> AskedMail:
        """See SendingDialect."""
        said = _decoded(request, body, _MANY, BatchNew)
        paths: list[Sequence[ForwardPath]] = []

        def mails() -> Any:
            for each in said.messages:
                mail = mail_of(each, taking)
                paths.append(mail.recipients)
                yield mail

        return AskedMail(mails=mails(), is_dry=said.dry_run, memo=paths)

    def answer(
        self, request: SendingRequest, asked: AskedMail, receipts: Sequence[Receipt], now: float
    ) -> DialectAnswer:
        """See SendingDialect."""
        results = [
            sent(paths, receipt, f"/messages/{index}/", is_dry=asked.is_dry)
            for index, (paths, receipt) in enumerate(zip(asked.memo, receipts, strict=True))
        ]
        accepted = sum(not result.problem for result in results)
        body = _encode(BatchSent(accepted, len(results) - accepted, results))
        if accepted:
            return DialectAnswer(200 if asked.is_dry else ACCEPTED, body)
        problems = [problem for receipt in receipts for problem in receipt.problems]
        return DialectAnswer(_status(results), body, JSON_TYPE, retry_headers(problems, now))


def _status(results: Sequence[MessageSent]) -> int:
    return min(result.problem.status for result in results if result.problem)


def _named(problem: Problem) -> Problem:
    if problem.reason is Reason.LOGIN_MISSING:
        return msgspec.structs.replace(problem, field=_BEARER)
    return problem


def _decoded(request: SendingRequest, body: bytes, decoder: "msgspec.json.Decoder[T]", kind: type[T]) -> T:
    media_type = request.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
    try:
        if media_type != JSON_TYPE:
            raise HttpProblem("media-type", f"the body is {media_type}; send {JSON_TYPE}")
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return decode_body(body, kind)  # which says all that is wrong
    except HttpProblem as problem:
        raise DialectRefusal(
            DialectAnswer(problem.status, problem.body(), MEDIA_TYPE, problem.headers)
        ) from problem
