"""Whose API key it is, for requests over HTTP: asked of the store each time, so that a revoked one is refused at once.

Blocking; from an event loop call it in a thread.
"""

import hmac
import threading
from typing import Final

from angarium.identity.directory.changes import Era
from angarium.identity.directory.lookup import Lookup
from angarium.identity.forms import LoginQuestion
from angarium.identity.principal import Principal, allows_peer, may_send
from angarium.identity.records import Kind
from angarium.identity.secrets import digest_of
from angarium.sql.database import Database

KEYS: Final[frozenset[Kind]] = frozenset(("api_key",))
KEYS_AND_TOKENS: Final[frozenset[Kind]] = frozenset(("api_key", "server_token"))
_KEEP_OUT: Final = frozenset(("disabled", "expired"))
"""Reasons not to let a key in. What concerns sending is for those who send."""


class ApiKeys:
    """Finds the principals of keys, or of whatever else of *kinds* has its secret for a name. Threads may share it."""

    def __init__(self, database: Database, kinds: frozenset[Kind] = KEYS) -> None:
        self._kinds = kinds
        self._lookup = Lookup(database, Era())
        self._lock = threading.Lock()

    def principal_of(self, key: str, peer_ip: str, now: float) -> Principal | None:
        """Return whose *key* is, or None when it is nobody's, disabled, expired at *now* or not for *peer_ip*.

        Raises StoreError. A suspended account's key is found; what it may do is the caller's business.
        """
        digest = digest_of(key)
        with self._lock:
            found = self._lookup.find(LoginQuestion("digest", "", digest, self._kinds))
        if found is None or not hmac.compare_digest(found.digest, digest):
            return None
        principal = found.principal
        is_let_in = may_send(principal, now) not in _KEEP_OUT and allows_peer(principal, peer_ip)
        return principal if is_let_in else None
