"""Signatures of requests, as Standard Webhooks has them (https://www.standardwebhooks.com): HMAC-SHA-256 over id, time
and body, one for each secret that holds. Pure.
"""

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from angarium.identity.webhooks import SECRET_PREFIX

TOLERANCE_S: Final = 300.0
"""How old a request may be whose signature is still believed, and how far ahead a clock may be."""


def signed(id: str, at: float, body: bytes, secrets: Iterable[str]) -> dict[str, str]:
    """Return the header fields of a request."""
    moment = str(int(at))
    made = [f"v1,{signature(secret, id, moment, body)}" for secret in secrets]
    return {"webhook-id": id, "webhook-timestamp": moment, "webhook-signature": " ".join(made)}


def signature(secret: str, id: str, moment: str, body: bytes) -> str:
    """Return one signature, in base64. *secret* is `whsec_` and base64."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    content = f"{id}.{moment}.".encode() + body
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def verified(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether a request is by who knows *secret*, and of these minutes. Names of *headers* are in lower case."""
    moment = headers.get("webhook-timestamp", "")
    if not moment.isascii() or not moment.isdigit() or abs(now - int(moment)) > TOLERANCE_S:
        return False
    wanted = signature(secret, headers.get("webhook-id", ""), moment, body)
    shown = [each.partition(",") for each in headers.get("webhook-signature", "").split(" ")]
    return any(version == "v1" and hmac.compare_digest(each, wanted) for version, _, each in shown)
