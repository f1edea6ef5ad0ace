"""What SCRAM is told about a user that does not exist, so that nobody learns which ones do. Pure.

The salt has to be the same each time the same name is tried, on every worker and node, as a real one is (RFC 5802
§7); so it is derived from the name under a key of the node.
"""

import hmac
from base64 import b64encode
from typing import Final

SCRAM_ITERATIONS: Final = 4096
_SALT_BYTES = 16


def decoy_scram(key: bytes, username: str) -> str:
    """Return a verifier that no password fits, in the form of `credentials.scram`."""
    name = username.encode("utf-8", "surrogatepass")
    parts = [hmac.digest(key, what + name, "sha256") for what in (b"salt:", b"stored:", b"server:")]
    parts[0] = parts[0][:_SALT_BYTES]
    return ":".join((str(SCRAM_ITERATIONS), *(b64encode(part).decode() for part in parts)))
