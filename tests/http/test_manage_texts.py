"""The text of a message by HTTP, where it is kept, to those whose it is."""

import random

import msgspec
import pytest

from angarium.core.options import Options
from angarium.events.bodies.port import TextToKeep, body_of, kept_until
from angarium.http.manage.table import PREFIX
from angarium.testing.happenings import reception

CUSTOMER = "customer-key"
OTHERS, OWN = 1, 2
TEXT = b"Subject: Your roof\r\n\r\n" + random.Random(1).randbytes(1_500_000)


@pytest.fixture
def messages(texts):
    """One of account 1 and one of account 2, both kept."""
    made = []
    for number, account in enumerate((OTHERS, OWN), 1):
        message = reception(number, account=account).message
        message = msgspec.structs.replace(
            message, options=Options(keep_body_days=7), trace=b"Received: here\r\n"
        )
        texts.take([TextToKeep(message, body_of(message), kept_until(message), TEXT)])
        made.append(message.id.hex())
    return made


def test_a_message_comes_as_it_was_received(api, messages):
    answer = api("GET", f"{PREFIX}/messages/{messages[0]}/raw")
    assert (answer.status, answer.headers["content-type"]) == (200, "message/rfc822")
    assert answer.body == b"Received: here\r\n" + TEXT


def test_an_account_reads_its_own_only(api, messages):
    assert api("GET", f"{PREFIX}/messages/{messages[1]}/raw", key=CUSTOMER).status == 200
    assert api("GET", f"{PREFIX}/messages/{messages[0]}/raw", key=CUSTOMER).status == 404
    assert api("GET", f"{PREFIX}/messages/{messages[0]}/raw?account={OTHERS}", key=CUSTOMER).status == 404


@pytest.mark.parametrize("name", ["0" * 32, "nothing"])
def test_what_is_not_kept_is_not_found(api, messages, name):
    answer = api("GET", f"{PREFIX}/messages/{name}/raw")
    assert answer.status == 404
    assert "text of message" in answer.json["detail"] or "message nothing" in answer.json["detail"]
