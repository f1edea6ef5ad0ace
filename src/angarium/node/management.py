"""What is managed and read of a node by HTTP, as the recorder serves it; sending domains, which it watches; and the
file of suppressions, which it makes.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute, Mount

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Fact
from angarium.dashboard.application import DashboardPorts, make_dashboard_routes
from angarium.dns.resolver import Resolver, resolver_settings
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import ErasureFolder
from angarium.events.news import StoredNews
from angarium.events.place import WholeEventStore, erasures_folder, texts_folder
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.store import FILE_NAME as SUMS_NAME
from angarium.events.rollups.store import RollupsReader
from angarium.feedback.reasons import category_of
from angarium.http.api.caller import Caller
from angarium.http.manage.routes import ManagePorts, make_manage_routes
from angarium.http.manage.waiting import Asking, Cancelling
from angarium.http.postmark.routes import PostmarkPorts, make_postmark_app
from angarium.identity.directory.api_keys import KEYS_AND_TOKENS, ApiKeys
from angarium.identity.domains.check import DomainReport, check_domain
from angarium.identity.domains.records import tracking_host
from angarium.identity.principal import Principal
from angarium.identity.records import Domain
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.node.domain_watch import DomainWatch
from angarium.node.webhooks.trying import tried
from angarium.spool.disk import RealDisk
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder
from angarium.sql.errors import StoreError
from angarium.sql.outage import Outage
from angarium.suppressions.index.builder import IndexBuilder
from angarium.suppressions.index.file import FOLDER
from angarium.suppressions.store.following import Following
from angarium.webhooks.desk import WebhookDesk
from angarium.webhooks.ledger import FILE_NAME, WebhookLedger

_LOCAL: Final = frozenset(("localhost", "127.0.0.1", "::1"))


class Management:
    """*config_of* returns the configuration in force, *asking* asks those who deliver. Of a node that is prepared.
    Raises KeyRingError.
    """

    def __init__(
        self,
        config_of: Callable[[], Config],
        data: Path,
        events: WholeEventStore,
        news: StoredNews,
        asking: Asking,
        cancelling: Cancelling,
        clock: Clock,
        log: Log,
    ) -> None:
        self._database = open_database(store_url(config_of(), data))
        ring = KeyRing.load_or_create(key_file(config_of(), data))
        self.store = IdentityStore(self._database, ring, clock.now)
        following = Following(self._database)
        self._builder = IndexBuilder(following, data / FOLDER, RealDisk(), clock.now)
        self._unmade = Outage("the file of suppressions", "suppressions_outage", log, clock)
        self._events = events
        self._sums = RollupsReader(data / SUMS_NAME)
        self._texts = BodyStore(texts_folder(data))
        self._erasures = ErasureFolder(erasures_folder(data))
        self._desk = WebhookDesk(WebhookLedger(data / FILE_NAME), events.last, tried(config_of, clock), clock)
        self._orders = OrderShelf(orders_folder(data))
        self._news = news
        self._asking = asking
        self._cancelling = cancelling
        self._config_of = config_of
        self._clock = clock
        self._log = log

    def routes(self) -> list[BaseRoute]:
        """Return what is to be served."""
        keys = _Keys(ApiKeys(self._database), self._clock)
        reports = MailReporter(self._events, self._sums, category_of)
        ports = ManagePorts(
            self.store,
            self._events,
            reports,
            self._news,
            self._texts,
            self._erasures,
            self._check,
            self._desk,
            self._orders,
            self._hostname,
            self._tracking_host,
            self._asking,
            self._cancelling,
        )
        tokens = _Tokens(ApiKeys(self._database, KEYS_AND_TOKENS), self._clock)
        of_postmark = PostmarkPorts(
            self.store,
            self._events,
            reports,
            self._texts,
            self._erasures,
            self._check,
            self._hostname,
            self._clock,
        )
        postmark = Mount("/", app=make_postmark_app(of_postmark, tokens))
        pages = DashboardPorts(ports, self._is_page_host, self._clock.now)
        return [*make_manage_routes(ports, keys), *make_dashboard_routes(pages), postmark]

    async def forget_old_sessions(self) -> None:
        """Delete sessions on the pages that are over; while the store does not answer, some other time."""
        with contextlib.suppress(StoreError):
            await asyncio.to_thread(self.store.sessions.forget_old, self._clock.now())

    def _is_page_host(self, name: str) -> bool:
        node = self._config_of().globals
        return name in _LOCAL or name == node.hostname.lower() or node.page_hosts.contains(name)

    async def watch_domains(self, note: Callable[[Fact], object]) -> None:
        """Look sending domains up in the DNS again that are due. *note* is told of what was lost or found."""
        await DomainWatch(self.store, self._check, self._clock, self._log, note).try_to_look()

    async def make_suppression_file(self) -> None:
        """Make the file of suppressions anew if it is time."""
        try:
            made = await asyncio.to_thread(self._builder.step)
        except (StoreError, OSError) as error:
            self._unmade.begins(error)
        else:
            self._unmade.ends()
            if made is not None:
                self._log.info("suppressions", self._clock.now(), **made._asdict())

    async def sweep_lists(self) -> None:
        """Take away who was on lists that were replaced long ago, or whose account is gone."""
        with contextlib.suppress(StoreError):  # it is done the next time
            await asyncio.to_thread(self.store.lists.sweep)

    def _hostname(self) -> str:
        return self._config_of().globals.hostname

    def _tracking_host(self) -> str:
        return tracking_host(self._config_of().globals.tracking_domain)

    async def _check(self, domain: Domain) -> DomainReport:
        # A fresh resolver, without a cache: a record that was missing a moment ago may be there now.
        resolver = Resolver(resolver_settings(self._config_of().globals), self._clock)
        try:
            return await check_domain(
                domain, resolver, hostname=self._hostname(), tracking_host=self._tracking_host()
            )
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


class _Tokens:
    """Implements http.postmark.gate.TokenKeeper."""

    def __init__(self, keys: ApiKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def principal_of(self, token: str, peer_ip: str) -> Principal | None:
        """See TokenKeeper."""
        return await asyncio.to_thread(self._keys.principal_of, token, peer_ip, self._clock.now())
