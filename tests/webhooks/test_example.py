"""The receiver of the docs: what it believes, and what it makes of events in any order."""

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from angarium.identity.webhooks import Webhook, new_signing_secret
from angarium.testing.snippets import module_of
from angarium.webhooks.own import told
from angarium.webhooks.signing import signed
from angarium.webhooks.trial import sample

EXAMPLE = Path(__file__).parents[2] / "docs/examples/webhook_receiver.py"
HOOK = Webhook(id=1, account=1, name="crm", url="https://example.com/", created_at=0.0)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return module_of(EXAMPLE)


@pytest.fixture
def server(example: ModuleType) -> Iterator[Any]:
    made = example.serve(0, [new_signing_secret(), new_signing_secret()])
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def post(server: Any, body: bytes, secret: str, at: float | None = None) -> int:
    headers = signed("id", time.time() if at is None else at, body, [secret])
    request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def event(type: str, id: str) -> dict[str, Any]:
    made = told(sample(type, HOOK))
    return {**made, "id": id, "data": {**made["data"], "message": "m", "recipient": "bob@example.com"}}


def test_it_believes_either_secret_and_nobody_else(server: Any) -> None:
    body = json.dumps(event("delivered", "1"), default=str).encode()
    assert [post(server, body, secret) for secret in server.secrets] == [204, 204]
    assert post(server, body, new_signing_secret()) == 401
    assert post(server, body, server.secrets[0], time.time() - 600) == 401
    assert server.mailbox.seen == {"1"}


def test_in_any_order_and_twice_the_same_is_known(example: ModuleType) -> None:
    """A late *delivered* never lowers *complaint* or a bounce; a late bounce still counts."""
    stories = {
        ("received", "delivered", "complaint"): "complaint",
        ("received", "delivered", "late_bounce"): "late_bounce",
        ("received", "delayed", "bounced"): "bounced",
        ("delayed", "delivered"): "delivered",
    }
    for story, end in stories.items():
        for order in itertools.permutations(range(len(story))):
            mailbox = example.Mailbox()
            taken = [mailbox.take(event(story[number], str(number))) for number in (*order, *order)]
            assert sum(taken) == len(story)
            assert mailbox.state == {("m", "bob@example.com"): end}
