"""The manage API keeps its document: schemathesis asks every operation what the document allows, and what it does not.

All its checks are on: statuses, media types and bodies of answers are those of the document; what it allows is taken or
stands against what there is; what it does not allow is refused; what was deleted is gone; no key, no answer.
"""

import functools
import string

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import EngineEvent, NonFatalError, ScenarioFinished

from angarium.events.news import MOST_WAITING
from angarium.http.manage.table import MANAGE, PREFIX
from angarium.identity.store import domains

OPERATOR, CUSTOMER = "operator-key", "customer-key"

LABELS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)
LINES = st.text(
    st.characters(exclude_categories=("C", "Z")) | st.just(" "),
).filter(str.isprintable)
NAMES = LINES.filter(lambda text: bool(text.strip()) and not text.strip().isdecimal())
DOMAINS = st.builds("{}.{}".format, LABELS, st.sampled_from(("example", "example.com", "example.net")))

QUERIES = st.sampled_from(("", "to:bob AND roof", "status:bounced", '"red roof" -tag:x', "date:7d size:>1k"))

FORMATS = {
    "line": LINES,
    "name": NAMES,
    "domain": DOMAINS,
    "label": LABELS,
    "email": st.builds("{}@{}".format, LABELS, DOMAINS),
    "query": QUERIES,
    "suppressed": st.builds("{}@{}".format, LABELS, DOMAINS) | DOMAINS | st.just("/^bot/"),
    "time-of-query": st.sampled_from(("7d", "30h", "yesterday")),
    "end-of-query": st.sampled_from(("now", "1h", "today")),  # which is after all of those, whenever that is
    "email-or-none": st.just("") | st.builds("{}@{}".format, LABELS, DOMAINS),
    "template-address": st.builds("{}@{}".format, LABELS, DOMAINS),
    "template": st.sampled_from(("Hello", "<p>Grüße</p>", "a b")),
    "zone": st.sampled_from(("", "UTC", "Europe/Berlin", "Asia/Kolkata")),
    "web-address": st.builds("https://{}/{}".format, DOMAINS, LABELS),
    "header-name": st.builds("X-{}".format, LABELS),
    "header-value": LABELS,
    "cidr": (st.ip_addresses() | st.builds("{}/24".format, st.ip_addresses(v=4))).map(str),
}
"""Texts of the formats that the document names, where JSON Schema has no word of its own."""

for name, texts in FORMATS.items():
    schemathesis.openapi.format(name, texts)


def config(key: str, examples: int, seed: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "headers": {"Authorization": f"Bearer {key}"},
            "generation": {"max-examples": examples, "deterministic": True},
            "seed": seed,
        }
    )


def broken(event: EngineEvent) -> list[str]:
    """Return what was not as the document says, each with the request that shows it."""
    if isinstance(event, NonFatalError):
        return [f"{event.label}: {event.info.format()}"]
    if not isinstance(event, ScenarioFinished):
        return []
    failures = [
        check.failure_info
        for checks in event.recorder.checks.values()
        for check in checks
        if check.status == Status.FAILURE
    ]
    return [f"{each.failure.title}\n{each.failure.message}\n{each.code_sample}" for each in failures]


def follow(app, key, *, examples=2, seed=1):
    """Return what was not as the document says, and how many operations were tried."""
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", app, config=config(key, examples, seed))
    for endpoint in MANAGE.elsewhere:  # which another application answers
        schema = schema.exclude(path=endpoint.path, method=endpoint.method)
    complaints, tried = [], set()
    for event in from_schema(schema).execute():
        complaints += broken(event)
        if isinstance(event, ScenarioFinished):
            tried.add(event.label)
    return complaints, tried


@pytest.fixture(autouse=True)
def keys_are_made_once(monkeypatch):
    """Signing keys take most of a second each."""
    monkeypatch.setattr(domains, "new_key", functools.cache(domains.new_key))


@pytest.fixture(autouse=True)
def nobody_is_kept_waiting(news):
    """Where many wait already, one more is answered at once."""
    news.waiting = MOST_WAITING


@pytest.mark.slow
def test_every_operation_is_as_the_document_says(app):
    complaints, tried = follow(app, OPERATOR)
    assert not complaints, "\n\n".join(complaints)
    assert {"POST /servers/{server}/streams/{stream}/archive", "GET /audit"} <= tried


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("key", "seed"), [(OPERATOR, 2), (CUSTOMER, 3)])
def test_every_operation_is_as_the_document_says_for_long(app, key, seed):
    complaints, _ = follow(app, key, examples=40, seed=seed)
    assert not complaints, "\n\n".join(complaints)
