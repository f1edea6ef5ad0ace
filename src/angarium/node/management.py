"""The identity store as the supervisor opens it: tables brought up to date, and what manages identities served."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from starlette.routing import BaseRoute

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.dns.resolver import Resolver, resolver_settings
from angarium.http.api.caller import Caller
from angarium.http.autoconfig import make_autoconfig_routes
from angarium.http.manage.routes import make_manage_routes
from angarium.identity.directory.api_keys import ApiKeys
from angarium.identity.domains.check import DomainReport, check_domain
from angarium.identity.records import Domain
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.node.domain_watch import DomainWatch


class Management:
    """*config_of* returns the configuration in force."""

    def __init__(self, config_of: Callable[[], Config], data: Path, clock: Clock, log: Log) -> None:
        self._database = open_database(store_url(config_of(), data))
        self._key_file = key_file(config_of(), data)
        self._config_of = config_of
        self._clock = clock
        self._log = log
        self._store: IdentityStore

    def prepare(self) -> None:
        """Make the key file and the tables, if they are not there. Raises KeyRingError or StoreError."""
        self._store = IdentityStore(self._database, KeyRing.load_or_create(self._key_file), self._clock.now)
        self._database.migrate()

    def routes(self) -> list[BaseRoute]:
        """Return what HTTP serves of identities, once prepared."""
        keys = _Keys(ApiKeys(self._database), self._clock)
        manage = make_manage_routes(self._store, keys, self._check, self._hostname)
        return [*manage, *make_autoconfig_routes(self._config_of)]

    async def watch_domains(self) -> None:
        """Look sending domains up in the DNS again that are due."""
        await DomainWatch(self._store, self._check, self._clock, self._log).try_to_look()

    def _hostname(self) -> str:
        return self._config_of().globals.hostname

    async def _check(self, domain: Domain) -> DomainReport:
        # A fresh resolver, without a cache: a record that was missing a moment ago may be there now.
        resolver = Resolver(resolver_settings(self._config_of().globals), self._clock)
        try:
            return await check_domain(domain, resolver, hostname=self._hostname())
        finally:
            await resolver.close()


class _Keys:
    """Implements http.api.caller.Authenticator."""

    def __init__(self, keys: ApiKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def authenticate(self, key: str, peer_ip: str) -> Caller | None:
        """See Authenticator."""
        return await asyncio.to_thread(self._keys.principal_of, key, peer_ip, self._clock.now())
