"""What a worker must know of the machine that may change while it runs: its name servers and its own addresses."""

import asyncio
from typing import NamedTuple

from angarium.config.records import GlobalOptions
from angarium.config.values import SocketAddress
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.delivery.router import local_addresses
from angarium.dns.resolver import ResolverConfigError, ResolverSettings, configured_servers, resolver_settings

LOOK_S = 10.0


class Sight(NamedTuple):
    """What was seen. *note* says that no name server is named, and what that means; empty: all is well."""

    servers: tuple[SocketAddress, ...] = ()
    addresses: tuple[str, ...] = ()
    note: str = ""


class Surroundings:
    """Looks around by the options in force. *seen* is what holds.

    Without a name server mail is taken all the same, and waits. The servers that were known go on being asked while
    none are named: the file that names them may just be in the making.
    """

    def __init__(self, clock: Clock, log: Log) -> None:
        self.seen = Sight()
        self._clock = clock
        self._log = log
        self._looking = asyncio.Lock()

    async def look(self, options: GlobalOptions) -> bool:
        """Look; return whether servers or addresses are other ones than before. What is new of servers is logged."""
        async with self._looking:
            before = self.seen
            self.seen = await asyncio.to_thread(_look, options, before)
        now = self._clock.now()
        if self.seen.note != before.note and self.seen.note:
            self._log.warning("dns", now, problem=self.seen.note)
        elif (self.seen.note, self.seen.servers) != (before.note, before.servers):
            self._log.info("dns", now, servers=[str(server) for server in self.seen.servers])
        return self.seen[:2] != before[:2]

    def settings(self, options: GlobalOptions) -> ResolverSettings:
        """How names are to be asked for, by what was seen."""
        return resolver_settings(options, self.seen.servers)


def _look(options: GlobalOptions, before: Sight) -> Sight:
    try:
        addresses = local_addresses()
    except OSError:  # no descriptor is left
        addresses = before.addresses
    try:
        return Sight(configured_servers(options), addresses)
    except ResolverConfigError as error:
        then = "those named before are still asked" if before.servers else "mail that needs DNS waits"
        return Sight(before.servers, addresses, f"no name server: {error}; {then}")
