"""What taking mail by request asks of others."""

from typing import Protocol

from angarium.identity.principal import Principal, Refused, Way
from angarium.smtp.sasl.exchange import Claim


class Senders(Protocol):
    """Knows whose a key is; `identity.directory.Directory` is one."""

    async def authenticate(self, claim: Claim, peer_ip: str, way: Way = "smtp") -> Principal | Refused:
        """Return who *claim* is, if they are let in from *peer_ip*. Raises StoreError when that cannot be said."""
        ...

    def note_use(self, principal: Principal, now: float) -> None:
        """Remember when a key was last used."""
        ...
