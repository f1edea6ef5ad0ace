"""Signatures of requests: the vectors of Standard Webhooks, and those in the page."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from angarium.identity.webhooks import new_signing_secret
from angarium.webhooks.signing import signature, signed, verified

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_vector_of_standard_webhooks() -> None:
    made = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert made == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=200), st.text("0123456789abcdef-", min_size=1))
def test_either_secret_is_believed_while_one_is_rotated_and_no_other(body: bytes, id: str) -> None:
    old, new, other = new_signing_secret(), new_signing_secret(), new_signing_secret()
    headers = signed(id, 1_796_000_000.9, body, [new, old])
    now = 1_796_000_100.0
    assert verified(headers, body, old, now)
    assert verified(headers, body, new, now)
    assert not verified(headers, body, other, now)
    assert not verified(headers, body + b" ", new, now)
    assert not verified({**headers, "webhook-id": id + "x"}, body, new, now)
    assert not verified({**headers, "webhook-timestamp": "1796000001"}, body, new, now)
    assert not verified({**headers, "webhook-signature": "v2,x nonsense v1,"}, body, new, now)
    assert not verified({}, body, new, now)
    assert not verified(headers, body, new, now + 300)


PAGE = Path(__file__).parents[2] / "docs/webhooks.md"


def test_the_vector_in_the_page_is_right() -> None:
    text = PAGE.read_text()
    said = dict(
        re.findall(
            r"^(secret|webhook-id|webhook-timestamp|webhook-signature|body): (.*)$", text, re.MULTILINE
        )
    )
    made = signed(
        said["webhook-id"], float(said["webhook-timestamp"]), said["body"].encode(), [said["secret"]]
    )
    assert made["webhook-signature"] == said["webhook-signature"]
