"""What each dialect is told of the same events: the fields that the vendors' documents and receivers name."""

import json
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from angarium.dialects.event import MailEvent
from angarium.events.catalogue import KINDS
from angarium.identity.webhooks import DIALECTS, TYPES, SigningSecret, WatchedWebhook, Webhook, WebhookSecrets
from angarium.webhooks.forms import FORMS, tells
from angarium.webhooks.requesting import WebhookRequest, requests
from angarium.webhooks.signing import verified
from angarium.webhooks.trial import sample

NOW = 1_796_000_000.5
ID = "11111111-2222-5333-8444-555555555555"
MESSAGE = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"


def hook(dialect: str, **fields: Any) -> Webhook:
    shape = {"id": 1, "account": 7, "name": "n", "url": "https://example.com/", "created_at": 0.0}
    return Webhook(**shape, dialect=dialect, **fields)  # type: ignore[arg-type]


def event(type: str, **fields: Any) -> MailEvent:
    made = sample(type, hook("own"), NOW)
    said = {"id": ID, "message": MESSAGE, "number": 42, "server": 23, "address": "John@example.com"}
    return msgspec.structs.replace(made, **said | fields)


def asked(dialect: str, *events: MailEvent, **fields: Any) -> list[WebhookRequest]:
    secrets = WebhookSecrets(signing=(SigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0.0),))
    return requests(WatchedWebhook(hook(dialect, **fields), secrets, 1), ID, events, 1, 11, NOW)


def bodies(dialect: str, *events: MailEvent, **fields: Any) -> list[Any]:
    return [json.loads(request.body) for request in asked(dialect, *events, **fields)]


def test_what_can_be_told_is_in_the_catalogue() -> None:
    assert set(TYPES) <= KINDS.keys()
    assert FORMS.keys() == set(DIALECTS)
    assert all(form.types <= set(TYPES) for form in FORMS.values())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_everything_that_a_dialect_has_words_for_can_be_told(dialect: str) -> None:
    for type in TYPES:
        if tells(hook(dialect), type):
            assert asked(dialect, event(type)), type


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_request_is_signed_over_just_what_is_sent(dialect: str) -> None:
    (request,) = asked(dialect, event("delivered"))
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["webhook-id"] == ID
    assert verified(headers, request.body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NOW)


def test_the_products_own() -> None:
    (told,) = bodies("own", event("bounced", details={"attempt": {"peer": "192.0.2.1:25", "source": "x"}}))
    assert told.keys() == {"type", "timestamp", "id", "sequence", "data"}
    assert (told["type"], told["id"], told["sequence"]) == ("bounced", ID, 42)
    data = told["data"]
    assert data["message"] == "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    assert (data["recipient"], data["bounce_class"], data["tags"]) == ("John@example.com", 10, ["test"])
    assert data["details"] == {"attempt": {"peer": "192.0.2.1:25"}}


def test_postmarks_bounce_and_delivery() -> None:
    (bounce,) = bodies("postmark", event("bounced"), types=("bounced",))
    assert bounce | {"BouncedAt": ""} == {
        "RecordType": "Bounce", "MessageStream": "outbound", "ID": 42, "Type": "HardBounce", "TypeCode": 1,
        "Name": "Hard bounce", "Tag": "test", "MessageID": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "Metadata": {"test": "true"}, "ServerID": 23,
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 no such user", "Email": "John@example.com",
        "From": "Sender <sender@example.org>", "BouncedAt": "", "DumpAvailable": False, "Inactive": True,
        "CanActivate": True, "Subject": "A try of this webhook",
    }  # fmt: skip
    (delivery,) = bodies("postmark", event("delivered"))
    assert (delivery["RecordType"], delivery["Recipient"]) == ("Delivery", "John@example.com")
    assert delivery["DeliveredAt"] == "2026-11-30T00:53:20.500Z"


def test_postmark_is_told_of_changed_subscriptions_and_each_has_an_id_of_its_own() -> None:
    first, second = asked("postmark", event("bounced"))
    assert json.loads(second.body)["RecordType"] == "SubscriptionChange"
    assert json.loads(second.body)["SuppressionReason"] == "HardBounce"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    again = asked("postmark", event("bounced"))
    assert [each.headers["webhook-id"] for each in again] == [
        first.headers["webhook-id"],
        second.headers["webhook-id"],
    ]
    (change,) = bodies("postmark", event("unsubscribe"))
    assert (change["SuppressionReason"], change["SuppressSending"]) == ("ManualSuppression", True)
    assert first.headers["X-PM-Retries-Remaining"] == "11"


def test_postmarks_openings_and_clicks() -> None:
    (opened,) = bodies("postmark", event("open", is_first=False))
    assert (opened["RecordType"], opened["FirstOpen"], opened["Geo"]) == ("Open", False, {})
    (clicked,) = bodies("postmark", event("click"))
    assert (clicked["OriginalLink"], clicked["ClickLocation"]) == ("https://example.org/?test", "HTML")


def test_sparkposts_batch_has_one_class_under_msys_and_texts_for_numbers() -> None:
    (request,) = asked("sparkpost", event("delivered"), event("bounced"), event("open"), event("held"))
    batch = json.loads(request.body)
    assert [[*each["msys"]] for each in batch] == [["message_event"], ["message_event"], ["track_event"]]
    assert request.headers["X-MessageSystems-Batch-ID"] == ID
    assert asked("sparkpost", event("delivered"))[0].headers["X-MessageSystems-Batch-ID"] == ID
    bounce = batch[1]["msys"]["message_event"]
    assert (bounce["type"], bounce["bounce_class"], bounce["error_code"]) == ("bounce", "10", "550")
    assert (bounce["rcpt_to"], bounce["raw_rcpt_to"]) == ("john@example.com", "John@example.com")
    assert int(bounce["timestamp"]) == int(NOW)
    assert bounce["friendly_from"] == "sender@example.org"
    assert (bounce["rcpt_meta"], bounce["rcpt_tags"]) == ({"test": "true"}, ["test"])
    for each in batch:
        (fields,) = each["msys"].values()
        left = {name for name, value in fields.items() if not isinstance(value, str)}
        assert left <= {"rcpt_meta", "rcpt_tags"}


def test_sparkposts_reason_does_not_name_the_recipient() -> None:
    (batch,) = bodies("sparkpost", event("bounced", reply="550 5.1.1 <John@example.com> unknown"))
    told = batch[0]["msys"]["message_event"]
    assert "John" not in told["reason"]
    assert told["raw_reason"] == "550 5.1.1 <John@example.com> unknown"


def test_smtpeters_forms() -> None:
    (request,) = asked("smtpeter", event("delivered"))
    assert dict(parse_qsl(request.body.decode())) == {
        "id": MESSAGE, "type": "delivery", "tags[]": "test", "recipient": "John@example.com",
        "time": "1796000000", "timestamp": "2026-11-30 00:53:20", "code": "250", "extended": "2.0.0",
        "description": "OK",
    }  # fmt: skip
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Digest"].startswith("SHA-256=")


def test_a_bounce_that_came_by_mail_is_told_twice_to_smtpeters_receivers() -> None:
    told = [dict(parse_qsl(request.body.decode())) for request in asked("smtpeter", event("late_bounce"))]
    assert [each["type"] for each in told] == ["failure", "bounce"]
    assert told[0]["state"] == "bounce"
