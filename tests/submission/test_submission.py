"""What any door hands in and is told: codes with their facts, and one table that makes SMTP of them."""

import asyncio
import string
from pathlib import Path
from typing import Any

import pytest

from angarium.core.fields import Fields, NamedMailbox
from angarium.core.options import Options
from angarium.core.submission import (
    CopyTo,
    Problem,
    Reason,
    Receipt,
    TemplateReference,
    Wishes,
)
from angarium.dialects import sentences
from angarium.dialects.postmark.errors import number_of
from angarium.dialects.table import DIALECT_OF_LOGIN, DIALECTS
from angarium.identity.limits import Limits
from angarium.identity.records import Account, Kind
from angarium.submission.replies import closing, refusal_of, reply_for, reply_to
from angarium.testing.intake import NOW, IntakeDesk, Taken, a_principal

TEXT = b"From: app@example.org\r\nDate: d\r\nMessage-ID: <i@example.org>\r\n\r\nhello\r\n"


def take(folder: Path, text: bytes = TEXT, **how: Any) -> Taken:
    async def story() -> Taken:
        return await IntakeDesk(folder).submit(text, **how)

    return asyncio.run(story())


def test_what_was_made_and_what_keeps_it_from_being_made_are_codes(tmp_path: Path) -> None:
    principal = a_principal("api_key")
    taken = take(tmp_path, principal=principal)
    assert taken.receipt == Receipt((taken.message.id,))
    refused = take(tmp_path, b"Subject: x\r\nX-MSYS-API: {}[]\r\n\r\n", principal=principal)
    assert refused.receipt.messages == ()
    assert [(each.reason, each.dialect) for each in refused.receipt.problems] == [
        (Reason.JSON, "sparkpost"),
        (Reason.NO_AUTHOR, "sparkpost"),
    ]


def test_of_mail_that_is_taken_to_fail_the_receipt_says_why(tmp_path: Path) -> None:
    taken = take(tmp_path, b"Subject: x\r\n\r\n", principal=a_principal("server_token"))
    assert taken.receipt.messages == (taken.message.id,)
    assert [each.reason for each in taken.receipt.problems] == [Reason.NO_AUTHOR]
    assert taken.message.fate == "fail"


def test_a_message_is_made_of_fields(tmp_path: Path) -> None:
    content = Fields(author=(NamedMailbox("a@b.example", "Ann"),), subject="Hi", text="hello")
    taken = take(tmp_path, instead=content, principal=a_principal())
    assert taken.message.author_domain == "b.example"
    assert b"From: Ann <a@b.example>\r\nSubject: Hi\r\n" in taken.sent
    assert taken.sent.endswith(b"\r\n\r\nhello\r\n")


def test_content_of_which_no_message_is_made_yet_is_refused(tmp_path: Path) -> None:
    content = TemplateReference("welcome", {"name": "Ann"})
    taken = take(tmp_path, instead=content, principal=a_principal())
    assert [each.reason for each in taken.receipt.problems] == [Reason.CONTENT]
    assert taken.entered == []


def test_what_a_door_was_asked_for_goes_before_what_the_header_asks_for(tmp_path: Path) -> None:
    asked = Wishes("postmark", Options(tags=("door",)), cc=(CopyTo("C", "c@example.com", "example.com"),))
    text = b"X-PM-Tag: header\r\nX-PM-TrackOpens: true\r\n" + TEXT
    taken = take(tmp_path, text, principal=a_principal("api_key"), wishes=(asked,))
    assert (taken.message.options.tags, taken.message.options.track_opens) == (("door",), True)
    assert taken.message.recipients[1].address == "c@example.com"
    assert taken.sent == b"Cc: C <c@example.com>\r\n" + TEXT


def test_of_a_stranger_they_are_unheeded(tmp_path: Path) -> None:
    asked = Wishes("postmark", Options(tags=("door",)))
    taken = take(tmp_path, wishes=(asked,), peer="198.51.100.7:40000")
    assert taken.message.options.tags is None


def test_recipients_that_no_door_has_looked_at_are_looked_at(tmp_path: Path) -> None:
    few = a_principal(account=Account(7, "acme", NOW, limits=Limits(max_recipients=1)))
    both = {"recipients": ["a@[192.0.2.1]", "b@example.net"], "principal": few}
    refused = take(tmp_path, **both, is_counted=False)
    assert [each.reason for each in refused.receipt.problems] == [
        Reason.LITERAL,
        Reason.TOO_MANY_RECIPIENTS,
    ]
    assert take(tmp_path, **both).receipt.messages  # RCPT has let them pass


FACTS = {
    "account": "acme",
    "allowed": "true or false",
    "again_at": NOW,
    "bound": "outbound",
    "ending": "exe",
    "error": "no object",
    "fields": "X-PM-",
    "has_encoded_words": True,
    "login": "this login",
    "most_octets": 9,
    "octets": 10,
    "owner": "account acme",
    "seconds": 60,
    "size": 10,
    "streams": ["outbound"],
    "type": "string",
    "why": "hard bounce",
}


@pytest.mark.parametrize("dialect", ["", *(dialect.name for dialect in DIALECTS)])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_refusal_in_every_dialect(reason: Reason, dialect: str) -> None:
    problem = Problem(reason, "From", 5, "{value}\r\nx", 7, FACTS, dialect)
    reply = reply_to(problem)
    assert 400 <= reply.code < 600
    assert reply.enhanced[0] == str(reply.code)[0]
    assert "\r" not in reply.text
    assert "\n" not in reply.text
    assert reply_for(Receipt(problems=(problem,))).code == reply.code
    assert closing(problem).code == 421


def test_sentences_name_only_what_problems_have() -> None:
    known = {"field", "limit", "value", "shown", "found", *FACTS}
    for sentence in sentences.SENTENCES.values():
        if isinstance(sentence, str):
            assert {name for _, name, _, _ in string.Formatter().parse(sentence) if name} <= known


@pytest.mark.parametrize(
    ("reasons", "code", "sentences"),
    [
        ((Reason.LOGIN_BINDING, Reason.NO_AUTHOR), 550, 1),  # for good goes before for now
        ((Reason.NO_AUTHOR, Reason.NO_AUTHOR), 550, 1),
        ((Reason.NO_AUTHOR, Reason.LONG_FROM, Reason.LOOP), 550, 2),
    ],
)
def test_of_several_problems_those_of_one_code_are_told(
    reasons: tuple[Reason, ...], code: int, sentences: int
) -> None:
    reply = refusal_of([Problem(reason, value="x") for reason in reasons])
    assert (reply.code, len(reply.text.split("\n"))) == (code, sentences)


@pytest.mark.parametrize(
    ("reason", "number"), [(Reason.DOMAIN, 400), (Reason.UNKNOWN_STREAM, 1235), (Reason.OPTION_VALUE, 300)]
)
def test_a_dialect_with_numbers_has_one_for_each_reason(reason: Reason, number: int) -> None:
    problem = Problem(reason, value="x", facts=FACTS, dialect="postmark")
    assert number_of(problem) == number
    assert reply_to(problem).text.endswith(f" (Postmark error {number})")


def test_whatever_somebody_logs_in_with_has_the_habits_of_a_dialect() -> None:
    assert DIALECT_OF_LOGIN.keys() == set(Kind.__args__)  # type: ignore[attr-defined]
