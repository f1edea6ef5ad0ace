"""Mailings on their way in: a form once, slices of it, and nothing of one recipient with another."""

import asyncio
import base64
import re
import tempfile
from collections.abc import Sequence
from email import message_from_bytes, policy
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.config.records import InboundOptions
from angarium.core.fields import Fields, Form, NamedMailbox, Personal, head_of_form, personal_at
from angarium.core.options import Options
from angarium.core.orders import MOST_IN_SLICE
from angarium.core.records import ForwardPath, Message, Recipient
from angarium.core.submission import CopyTo, Envelope, Problem, Reason, Receipt, Submission, Wishes
from angarium.identity.principal import Principal
from angarium.render.pipeline import Renderer
from angarium.render.return_path import SignedReturnPaths
from angarium.render.tracking.addresses import SignedTrackingAddresses
from angarium.submission.policy import entrance_policy
from angarium.testing.intake import NOW, IntakeDesk, a_principal
from angarium.testing.spool import CLIENT

FIELDS = Fields(
    author=(NamedMailbox("shop@example.org", "Shop"),),
    subject="Hello {{name}}",
    html='<a href="http://shop.test/{{path}}">{{{text}}}</a>',
)
FORM = Form(fields=FIELDS, language="mustachio")
CONFIG = 'Tracking_Domain = "t.example"\nBounce_Domain = "b.example"'
TRACKED = Wishes("", Options(track_opens=True, track_links="all", stream="broadcast"))


class Mailing:
    """What became of one submission."""

    def __init__(self, desk: IntakeDesk, receipt: Receipt) -> None:
        self.receipt = receipt
        self.messages = [message for message, _ in desk.entered]
        self.stored = [body for _, body in desk.entered]
        self.own = [desk.own[message.id] for message in self.messages]

    @property
    def wrong(self) -> list[tuple[str, str]]:
        return [(problem.field, str(problem.facts.get("why"))) for problem in self.receipt.problems]


def hand_in(
    form: Form,
    addresses: Sequence[str],
    personal: Sequence[Personal] = (),
    *,
    wishes: tuple[Wishes, ...] = (),
    config: str = "",
    alone: bool = False,
) -> Mailing:
    async def story() -> Mailing:
        with tempfile.TemporaryDirectory() as folder:
            desk = IntakeDesk(Path(folder), config)
            principal = a_principal("api_key", verified=["example.org"])
            paths = [ForwardPath(address=each, domain=each.rpartition("@")[2]) for each in addresses]
            submission: Submission[Principal] = Submission(
                desk.intake.new_id(),
                Envelope("from@example.org", "example.org", paths),
                form,
                CLIENT,
                entrance_policy(InboundOptions()),
                principal,
                wishes=wishes,
                personal=personal,
                due_at=NOW + 60,
                by_request=True,
            )
            if alone:
                answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
                desk.intake.submit(submission, answer.set_result)
                return Mailing(desk, await answer)
            (receipt,) = await desk.intake.submit_all([submission], principal)
            return Mailing(desk, receipt)

    return asyncio.run(story())


def test_many_recipients_are_slices_of_one_form(tmp_path: Path) -> None:
    number = 2 * MOST_IN_SLICE + 5
    people = [Personal(f"P{n}", b'{"n": %d}' % n) for n in range(number)]
    mailing = hand_in(FORM, [f"p{n}@to.example" for n in range(number)], people)
    assert [len(message.recipients) for message in mailing.messages] == [MOST_IN_SLICE, MOST_IN_SLICE, 5]
    first = mailing.messages[0].id
    assert {message.content for message in mailing.messages} == {first}
    assert [message.submission for message in mailing.messages] == [b"", first, first]
    assert all(message.is_form and message.due_at == NOW + 60 for message in mailing.messages)
    assert mailing.receipt.messages == tuple(message.id for message in mailing.messages)
    numbers = count()
    for message, own in zip(mailing.messages, mailing.own, strict=True):
        assert [personal_at(own, index) for index in range(len(message.recipients))] == [
            people[next(numbers)] for _ in message.recipients
        ]


def test_what_is_stored_shows_the_header_as_it_was_written() -> None:
    fields = msgspec.structs.replace(
        FIELDS, headers=(("X-PM-Tag", "spring"), ("X-Shop", "{{name}}"), ("Message-ID", "<x@example.org>"))
    )
    mailing = hand_in(msgspec.structs.replace(FORM, fields=fields), ["ann@to.example"])
    (message,), (stored,) = mailing.messages, mailing.stored
    header = message_from_bytes(head_of_form(stored), policy=policy.default)
    assert header["Subject"] == "Hello {{name}}"
    assert header["X-Shop"] == "{{name}}"
    assert "X-PM-Tag" not in header
    assert message.options.tags == ("spring",)
    assert message.author_domain == "example.org"
    assert b"Date: " in message.trace
    assert b"Message-ID" not in message.trace
    mail = Renderer().render(Recipient(message, 0, "default", "to.example"), stored, mailing.own[0])
    assert b"X-PM-Tag" not in mail


def test_who_gets_a_copy_gets_what_the_one_recipient_gets() -> None:
    copies = Wishes(
        "postmark",
        cc=(CopyTo("", "cc@to.example", "to.example"),),
        bcc=(CopyTo("", "bcc@to.example", "to.example"),),
    )
    mailing = hand_in(FORM, ["ann@to.example"], [Personal("Ann", b'{"name": "Ann"}')], wishes=(copies,))
    (message,), (own,) = mailing.messages, mailing.own
    assert [path.address for path in message.recipients] == [
        "ann@to.example",
        "cc@to.example",
        "bcc@to.example",
    ]
    for index in range(3):
        mail = Renderer().render(Recipient(message, index, "default", "to.example"), mailing.stored[0], own)
        assert b"Subject: Hello Ann\r\n" in mail
        assert b"To: Ann <ann@to.example>\r\n" in mail
        assert b"bcc@to.example" not in mail
    refused = hand_in(FORM, ["ann@to.example", "bob@to.example"], wishes=(copies,))
    assert refused.wrong == [("copies", "do not go with a message of its own for each of several recipients")]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no author": ({"author": ()}, "from", "is missing"),
    "an author's domain that is none": (
        {"author": (NamedMailbox("a@{{at}}"),)},
        "from",
        "has a template behind the @; the author's domain has to be the same for all",
    ),
    "a template": ({"html": "a\n{{#open}}"}, "html", "line 2, column 1"),
    "a field": ({"headers": (("Subject", "x"),)}, "headers/Subject", "is written by this node"),
}


@pytest.mark.parametrize(("fields", "where", "why"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_for_everybody_is_refused(fields: dict[str, Any], where: str, why: str) -> None:
    form = msgspec.structs.replace(FORM, fields=msgspec.structs.replace(FIELDS, **fields))
    ((field, said),) = hand_in(form, ["ann@to.example"]).wrong
    assert field == where
    assert said.startswith(why)


def test_data_that_all_share_has_to_be_an_object() -> None:
    ((field, said),) = hand_in(msgspec.structs.replace(FORM, shared=b"[]"), ["ann@to.example"]).wrong
    assert (field, said) == ("data", "Expected `object`, got `array`")


def test_a_form_may_be_many_messages_and_is_not_taken_as_one() -> None:
    refused = hand_in(FORM, ["ann@to.example"], alone=True)
    assert refused.receipt.problems == (Problem(Reason.CONTENT, "a template"),)


# -- no link of one recipient ever reaches another

ADDRESSES = SignedTrackingAddresses(lambda: [b"k" * 32])
RETURNS = SignedReturnPaths(lambda: [b"k" * 32])
values = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["{{{ pm:unsubscribe }}}", '"><a href="http://b.test/x">', "</body>", "</html>x", "<!--"]
    ),
)
own_data = st.fixed_dictionaries({}, optional={"name": values, "path": values, "text": values})
people_with_data = st.lists(own_data, min_size=2, max_size=4)
placed = st.sampled_from(["", "{{{ pm:unsubscribe }}}", '<a href="{{{ pm:unsubscribe }}}">out</a>'])


@settings(max_examples=20)
@given(people_with_data, placed, st.sampled_from(["text", "html", "both"]))
def test_no_link_of_one_recipient_reaches_another(data: list[dict[str, str]], place: str, parts: str) -> None:
    html = f'<body><a href="http://shop.test/{{{{path}}}}">{{{{{{text}}}}}}</a>{place}</body>'
    text = f"See http://shop.test/{{{{path}}}} {{{{text}}}} {place}"
    fields = msgspec.structs.replace(
        FIELDS, html=html if parts != "text" else None, text=text if parts != "html" else None
    )
    people = [Personal("", msgspec.json.encode(each)) for each in data]
    mailing = hand_in(
        msgspec.structs.replace(FORM, fields=fields),
        [f"p{n}@to.example" for n in range(len(people))],
        people,
        wishes=(TRACKED,),
        config=CONFIG,
    )
    renderer = Renderer(ADDRESSES, RETURNS)
    for message, stored, own in zip(mailing.messages, mailing.stored, mailing.own, strict=True):
        for index in range(len(message.recipients)):
            mail = renderer.render(Recipient(message, index, "default", "to.example"), stored, own)
            assert owners_in(mail, message) == {(message.id, index)}


def owners_in(mail: bytes, message: Message) -> set[tuple[bytes, int]]:
    """Return whose every tracked link and address of *mail* is."""
    read = message_from_bytes(mail, policy=policy.default)
    texts = [part.get_content() for part in read.walk() if part.get_content_maintype() == "text"]
    texts += [str(value) for name, value in read.items() if name.startswith("List-")]
    whole = "\n".join(texts)
    tokens = re.findall(re.escape(message.tracking_url) + r"/t/(?:[a-z]{2,}/)?[a-zA-Z]([-\w]{40})", whole)
    found = [_named_in(token) for token in tokens]
    assert len(found) == whole.count(message.tracking_url)
    addresses = [RETURNS.read(each) for each in re.findall(r"mailto:([^?>\s]+@b\.example)", whole)]
    assert found or addresses
    return {*found, *((each.message, each.index) for each in addresses if each is not None)}


def _named_in(token: str) -> tuple[bytes, int]:
    named = base64.urlsafe_b64decode(token + "==")
    return named[:16], int.from_bytes(named[16:19], "big")
