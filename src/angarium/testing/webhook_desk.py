"""What people ask of webhooks, where nobody is really asked: a try finds nobody."""

from collections.abc import Mapping
from pathlib import Path

from angarium.core.clock import SystemClock
from angarium.fetch.answer import HttpAnswer, Unanswered
from angarium.fetch.fetcher import Method
from angarium.identity.webhooks import WatchedWebhook
from angarium.webhooks.desk import WebhookDesk
from angarium.webhooks.ledger import FILE_NAME, WebhookLedger
from angarium.webhooks.requesting import Requester
from angarium.webhooks.trial import Trial, first_type, sample, try_out


class _Nobody:
    async def ask(
        self, method: Method, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        raise Unanswered("connect", "nobody is asked in tests")


def deaf_desk(folder: Path) -> WebhookDesk:
    """Return a desk over a ledger in *folder*."""

    async def once(watched: WatchedWebhook, type: str | None) -> Trial:
        event = sample(type or first_type(watched.webhook), watched.webhook)
        return await try_out(Requester(_Nobody(), SystemClock()), watched, [event], event.at)

    return WebhookDesk(WebhookLedger(folder / FILE_NAME), lambda: 0, once, SystemClock())
