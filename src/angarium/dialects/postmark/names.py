"""Names that mean something to Postmark: the access keys of its SMTP tokens, and the streams that are its own."""

import re
from typing import Final

ACCESS_KEY: Final = re.compile(r"PM-[TB]-[a-z0-9_-]{1,30}-[A-Za-z0-9_-]{22}")
RESERVED_STREAMS: Final = "pm-"
"""No stream of a customer's begins so."""


def access_key(stream: str, is_broadcast: bool, noise: str) -> str:
    """Return the access key of a token that is bound to *stream*; *noise* is 22 random characters."""
    return f"PM-{'B' if is_broadcast else 'T'}-{stream}-{noise}"
