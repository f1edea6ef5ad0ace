"""Bodies and header fields of requests in the forms of vendors. Pure."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import msgspec

from angarium.dialects.event import MailEvent
from angarium.dialects.postmark import webhooks as postmark
from angarium.dialects.smtpeter import events as smtpeter
from angarium.dialects.sparkpost import events as sparkpost
from angarium.identity.webhooks import Webhook


def postmark_bodies(events: Sequence[MailEvent], webhook: Webhook) -> list[bytes]:
    """Return an object for each, and for what it changes of a subscription where that is told of."""
    found = [postmark.payloads(event, changes=webhook.wants("unsubscribe")) for event in events]
    return [msgspec.json.encode(each) for some in found for each in some]


def postmark_headers(id: str, tries: int, left: int) -> Mapping[str, str]:
    """Return what Postmark says of a request."""
    return {"X-PM-Webhook-Trace-Id": id, "X-PM-Retries-Remaining": str(left)}


def sparkpost_bodies(events: Sequence[MailEvent], webhook: Webhook) -> list[bytes]:
    """Return one batch."""
    return [msgspec.json.encode(sparkpost.batch(events))]


def sparkpost_headers(id: str, tries: int, left: int) -> Mapping[str, str]:
    """Return what SparkPost says of a request: the batch has one id over all tries."""
    return {"X-MessageSystems-Batch-ID": id}


def smtpeter_bodies(events: Sequence[MailEvent], webhook: Webhook) -> list[bytes]:
    """Return a form for each."""
    return [urlencode(form).encode() for event in events for form in smtpeter.forms(event)]


def digest(body: bytes) -> str:
    """Return the value of a Digest field (RFC 3230)."""
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()
