"""The principals that one worker has met, and how it keeps them true. No I/O.

A session holds on to the principal it was given. When its account changes, everybody of that account who is known here
is read anew; from then on `now` answers with the newer picture, or says that there is none.
"""

from collections.abc import Mapping

from angarium.core.bounded import Bounded
from angarium.identity.directory.changes import Changes, News
from angarium.identity.principal import Key, Principal

Login = tuple[Key, bytes]


class Known:
    """A bounded number of principals, and of logins that were right."""

    def __init__(self, changes: Changes, limit: int) -> None:
        self._changes = changes
        self._principals: Bounded[Key, Principal | Gone] = Bounded(limit)
        self._logins: Bounded[bytes, tuple[Key, bytes]] = Bounded(limit)

    def keep(self, principal: Principal) -> bool:
        """Hold *principal*; False: a poll has heard of something newer, it has to be read again."""
        if not self.holds(principal):
            return False
        held = self._principals.get(principal.key)
        if not isinstance(held, Principal) or held.seen <= principal.seen:
            self._principals.put(principal.key, principal)
        return True

    def holds(self, principal: Principal) -> bool:
        """Whether *principal* is as the store has it, as far as is known."""
        return self._changes.holds(principal.account.id, principal.seen)

    def now(self, principal: Principal) -> "Principal | Gone | None":
        """Return the newest picture of *principal*; None: it has to be read first."""
        if self.holds(principal):
            return principal
        held = self._principals.get(principal.key)
        if isinstance(held, Principal):
            if not self.holds(held):
                return None
            return held if held.stamp == principal.stamp else GONE
        return held

    def remember(self, login: bytes, principal: Principal) -> None:
        """Note that *login*, a digest of user name and secret, is *principal*."""
        self._logins.put(login, (principal.key, principal.stamp))

    def remembered(self, login: bytes) -> Principal | None:
        """Return whose *login* is, if that is known to be true still."""
        key, stamp = self._logins.get(login) or (None, b"")
        held = self._principals.get(key) if key is not None else None
        if not isinstance(held, Principal) or held.stamp != stamp:
            return None
        return held if self.holds(held) else None

    def touched(self, news: News) -> list[Key]:
        """Return who has to be read again because of *news*."""
        changed = news.changed
        return [
            key
            for key, held in self._principals.items()
            if isinstance(held, Principal) and (changed is None or held.account.id in changed)
        ]

    def replace(self, keys: list[Key], found: Mapping[Key, Principal]) -> None:
        """Take what was read of *keys*; those not *found* are gone."""
        for key in keys:
            principal = found.get(key)
            if principal is None:
                self._principals.put(key, GONE)
            else:
                self.keep(principal)


class Gone:
    """Stands for somebody who was deleted, or whose secret is another now."""


GONE = Gone()
