"""Keys of senders, as requests show them."""

import re
from typing import Final

from angarium.dialects.sparkpost.names import SMTP_INJECTION
from angarium.smtp.sasl.exchange import Claim

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MECHANISM: Final = "HTTP"


def claim_of_key(key: str) -> Claim:
    """Return who shows *key*, an API key or a server token, says to be."""
    return claim_of_token(key) if _UUID.fullmatch(key) else Claim(_MECHANISM, SMTP_INJECTION, key)


def claim_of_token(token: str) -> Claim:
    """Return who shows a server token says to be."""
    return Claim(_MECHANISM, token, token)
