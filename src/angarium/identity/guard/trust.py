"""Which logins were right lately, and from where: those are heard where others fail. Pure: the time is an argument."""

from typing import Final, NamedTuple

from angarium.core.bounded import Bounded

TRUST_S: Final = 7 * 86_400.0
"""How long at least a network stays trusted for a login that was right there."""
RENEWED_S: Final = 86_400.0
MOST_NETWORKS: Final = 16
"""Of one login: whoever has one cannot push out those of others by using it from everywhere."""


class Trusted(NamedTuple):
    """A login (a mark of `guard.Guard.mark`) that is trusted when it comes from *network*, until that moment."""

    login: str
    network: str
    until: float


class Trust:
    """The trusted logins of one worker, at most *limit*, each in at most MOST_NETWORKS."""

    def __init__(self, limit: int) -> None:
        self._logins: Bounded[str, dict[str, float]] = Bounded(limit)

    def holds(self, network: str, login: str, now: float) -> bool:
        """Whether *login* was right from *network* lately."""
        return (self._logins.get(login) or {}).get(network, 0.0) > now

    def note(self, network: str, login: str, now: float) -> bool:
        """Trust *login*; returns whether that is new, or about to be forgotten elsewhere."""
        if self.holds(network, login, now + TRUST_S):
            return False
        self.keep(Trusted(login, network, now + TRUST_S + RENEWED_S))
        return True

    def keep(self, trusted: Trusted) -> None:
        """Take over what is known already. The network that was new first goes when there are too many."""
        networks = self._logins.get(trusted.login) or {}
        networks.pop(trusted.network, None)
        networks[trusted.network] = trusted.until
        if len(networks) > MOST_NETWORKS:
            del networks[next(iter(networks))]
        self._logins.put(trusted.login, networks)

    def until(self, network: str, login: str) -> float:
        """Return until when *login* is trusted from *network*, 0 if it is not."""
        return (self._logins.get(login) or {}).get(network, 0.0)

    def forget(self, network: str, login: str) -> None:
        """Trust *login* no more when it comes from *network*."""
        (self._logins.get(login) or {}).pop(network, None)
