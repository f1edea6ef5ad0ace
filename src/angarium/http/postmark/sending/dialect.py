"""Postmark's words for sending. Implements `SendingDialect`."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from angarium.core.fields import Fields, Personal
from angarium.core.ids import format_id
from angarium.core.submission import Problem, Reason, Receipt, TemplateReference
from angarium.dialects.postmark.dates import moment
from angarium.dialects.postmark.errors import api_problem, partly_inactive_sentence
from angarium.dialects.postmark.events import uuid_of
from angarium.dialects.postmark.message import AskedMessage, GivenMessage, asked_of
from angarium.dialects.postmark.problem import BAD_JSON, JSON_WANTED, PostmarkProblem
from angarium.dialects.postmark.reading import body_of, decoded
from angarium.http.postmark.gate import SERVER_HEADER
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
from angarium.submission.requests.mail import Mail

MOST_IN_BATCH: Final = 500
TOO_MANY: Final = 410
_MEDIA_TYPE: Final = f"{JSON_TYPE}; charset=utf-8"
_NOT_TAKEN: Final = (Problem(Reason.REQUEST, facts={"why": "it is wrong"}),)
_encode = msgspec.json.Encoder().encode

Asked = AskedMessage | PostmarkProblem
"""One message of a request, or what is wrong with it."""


class MessageWords(NamedTuple):
    """`POST /email` and those beside it. *is_batch*: the body has many messages; *is_templated*: templates have the
    texts.
    """

    is_batch: bool = False
    is_templated: bool = False

    def claim(self, request: SendingRequest) -> Claim | None:
        """See SendingDialect."""
        token = request.headers.get(SERVER_HEADER, "").strip()
        return claim_of_key(token.lower()) if token else None

    def read(self, request: SendingRequest, body: bytes, taking: Taking) -> AskedMail:
        """See SendingDialect."""
        try:
            given = self.messages(request, body)
        except PostmarkProblem as problem:
            raise DialectRefusal(answer_of(problem)) from problem
        asked: list[Asked] = []

        def mails() -> Iterator[Mail]:
            for each in given:
                asked.append(self.asked(each))
                yield _mail(asked[-1])

        return AskedMail(mails=mails(), memo=asked)

    def answer(
        self, request: SendingRequest, asked: AskedMail, receipts: Sequence[Receipt], now: float
    ) -> DialectAnswer:
        """See SendingDialect."""
        told = [
            each if isinstance(each, PostmarkProblem) else _sent(each, receipt, now)
            for each, receipt in zip(asked.memo, receipts, strict=True)
        ]
        if self.is_batch:
            return _answer([each.answer() if isinstance(each, PostmarkProblem) else each for each in told])
        (one,) = told
        return answer_of(one) if isinstance(one, PostmarkProblem) else _answer(one)

    def refuse(self, request: SendingRequest, problems: Sequence[Problem], now: float) -> DialectAnswer:
        """See SendingDialect."""
        problem = api_problem(problems)
        return answer_of(
            PostmarkProblem(
                problem.code, str(problem), status=problem.status, headers=retry_headers(problems, now)
            )
        )

    def messages(self, request: SendingRequest, body: bytes) -> list[Any]:
        """Return the messages of a body, not yet looked at. Raises PostmarkProblem."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != JSON_TYPE:
            raise PostmarkProblem(
                JSON_WANTED, f"The Content-Type must be {JSON_TYPE}, not {media_type[:100] or 'missing'}."
            )
        value = decoded(body)
        if not self.is_batch:
            return [value]
        if self.is_templated and isinstance(value, dict):  # this batch stands within an object
            value = next((each for name, each in value.items() if name.lower() == "messages"), None)
        if not isinstance(value, list):
            raise PostmarkProblem(BAD_JSON, "Invalid JSON: the body must be a list of messages.")
        if len(value) > MOST_IN_BATCH:
            said = f"You may only send up to {MOST_IN_BATCH} messages in a single batched request."
            raise PostmarkProblem(TOO_MANY, said)
        return value

    def asked(self, value: Any) -> Asked:
        """Return what one message of a body asks for."""
        try:
            return asked_of(body_of(value, GivenMessage), is_templated=self.is_templated)
        except PostmarkProblem as problem:
            return problem


def answer_of(problem: PostmarkProblem) -> DialectAnswer:
    """Return the answer to a request that is refused."""
    headers = {"X-PM-ApiErrorCode": str(problem.code), **problem.headers}
    return DialectAnswer(problem.status, _encode(problem.answer()), _MEDIA_TYPE, headers)


def accepted(asked: AskedMessage, id: str, now: float, message: str) -> dict[str, Any]:
    """Return what is said of a message that was taken."""
    return {**asked.echo, "SubmittedAt": moment(now), "MessageID": id, "ErrorCode": 0, "Message": message}


def _answer(value: Any) -> DialectAnswer:
    return DialectAnswer(200, _encode(value), _MEDIA_TYPE)


def _mail(asked: Asked) -> Mail:
    if isinstance(asked, PostmarkProblem):
        return Mail(recipients=(), content=_NO_FIELDS, problems=_NOT_TAKEN)
    mail = Mail(
        recipients=asked.recipients, content=asked.fields, wishes=(asked.wishes,), refuses_suppressed=True
    )
    if asked.template is None:
        return mail
    reference = TemplateReference(asked.template, dict(asked.model), asked.fields)
    return msgspec.structs.replace(mail, content=reference, personal=_personal(asked))


def _personal(asked: AskedMessage) -> tuple[Personal, ...]:
    """Return the names of recipients, each of whom gets a message of its own."""
    names = {mailbox.address: mailbox.name for mailbox in (*asked.fields.to, *asked.fields.cc)}
    return tuple(Personal(names.get(path.address, "")) for path in asked.recipients)


def _sent(asked: AskedMessage, receipt: Receipt, now: float) -> dict[str, Any] | PostmarkProblem:
    if not receipt.messages:
        return api_problem(receipt.problems)
    message = "OK"
    if receipt.refused:
        message = partly_inactive_sentence(path.address for path, _ in receipt.refused)
    return accepted(asked, uuid_of(format_id(receipt.messages[0])), now, message)


_NO_FIELDS: Final = Fields(author=())
