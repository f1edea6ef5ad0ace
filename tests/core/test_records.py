"""Records that are written to disk: how they are built, and what of them is known without being written."""

import ast
import inspect
from pathlib import Path
from typing import get_args

import pytest

import angarium
from angarium.core.fields import Fields, Form
from angarium.core.options import Options
from angarium.core.orders import MailOrder, Share
from angarium.core.records import (
    FACT_FIELDS,
    Attempt,
    Content,
    Event,
    Fact,
    FactKind,
    ForwardPath,
    KeyedAnswer,
    Message,
    Origin,
    Recipient,
    TlsFacts,
    reception_of,
)
from angarium.events.rows import EventDetail
from angarium.events.sqlite.detail import PackedAttempt, PackedDetail
from angarium.spool.codec import Seal
from angarium.testing.spool import CLIENT, make_message

DURABLE = [
    Attempt, Content, Event, EventDetail, Fact, Fields, Form, ForwardPath, KeyedAnswer, MailOrder, Message, Options,
    Origin, PackedAttempt, PackedDetail, Seal, Share, TlsFacts,
]  # fmt: skip
WIRE_ORDER = {"Reply"}
"""Said in the order in which it stands on the wire: code, enhanced code, text."""


@pytest.mark.parametrize("record", DURABLE)
def test_a_durable_record_is_built_by_keyword(record: type) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(record).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.slow
def test_every_record_that_is_written_as_an_array_is_among_them() -> None:
    arrays = {
        node.name
        for path in Path(angarium.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any(keyword.arg == "array_like" for keyword in node.keywords)
    }
    assert arrays == {record.__name__ for record in DURABLE} | WIRE_ORDER


def test_every_kind_of_fact_says_what_it_may_tell() -> None:
    assert set(FACT_FIELDS) == set(get_args(FactKind))


def test_the_reception_of_a_message_is_told_by_the_message_itself() -> None:
    message = make_message("a.example", "b.example", size=700)
    fact = reception_of(message)
    assert (fact.kind, fact.at, fact.message, fact.index) == (
        "reception",
        message.received_at,
        message.id,
        -1,
    )
    assert set(fact.fields) == set(FACT_FIELDS["reception"])
    assert (fact.fields["peer"], fact.fields["recipients"], fact.fields["size"]) == (CLIENT.peer, 2, 700)


def test_a_recipient_of_mail_to_us_is_held_from_the_start() -> None:
    message = make_message("bounces.example", fate="feedback")
    assert Recipient(message, 0, "default", "bounces.example").state == "held"
    assert Recipient(make_message(), 0, "default", "to.example").state == "queued"
