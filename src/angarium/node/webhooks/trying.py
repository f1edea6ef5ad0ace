"""A try of a webhook, by the way that all requests to webhooks take."""

import time
from collections.abc import Callable

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.dns.resolver import Resolver, resolver_settings
from angarium.fetch.fetcher import Fetcher
from angarium.identity.webhooks import WatchedWebhook
from angarium.node.webhooks.settings import fetch_settings
from angarium.webhooks.desk import Try
from angarium.webhooks.requesting import Requester
from angarium.webhooks.trial import Trial, first_type, sample, try_out


def tried(config_of: Callable[[], Config], clock: Clock) -> Try:
    """Return what tells a webhook of something that has never happened; it raises ResolverConfigError."""

    async def once(watched: WatchedWebhook, type: str | None) -> Trial:
        resolver = Resolver(resolver_settings(config_of().globals))
        fetcher = Fetcher(resolver, lambda: fetch_settings(config_of()))
        now = time.time()
        try:
            event = sample(type or first_type(watched.webhook), watched.webhook, now)
            return await try_out(Requester(fetcher, clock), watched, [event], now)
        finally:
            fetcher.close()
            await resolver.close()

    return once
