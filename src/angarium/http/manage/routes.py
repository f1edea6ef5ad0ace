"""The manage API, served: its table of endpoints, and what a call of theirs may touch."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.routing import BaseRoute

from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import ErasureFolder
from angarium.events.news import StoredNews
from angarium.events.port import EventStore
from angarium.events.reports.reporter import MailReporter
from angarium.http.api.application import make_routes
from angarium.http.api.caller import Authenticator, Caller, actor_of
from angarium.http.api.keys import KeyGate
from angarium.http.manage.call import Call, Checker
from angarium.http.manage.table import MANAGE
from angarium.http.manage.waiting import Asking, Cancelling, nobody_to_ask, nobody_to_cancel
from angarium.identity.store.store import IdentityStore
from angarium.spool.orders import OrderStore
from angarium.webhooks.desk import WebhookDesk


class ManagePorts(NamedTuple):
    """What the handlers work with, each by a field of `Call`.

    *hostname* tells the node's name, to which bounces come; without it the records about bounces are left out.
    *tracking_host* tells what readers' programs come by, if it is another one.
    """

    store: IdentityStore
    events: EventStore
    reports: MailReporter
    news: StoredNews
    texts: BodyStore
    erasures: ErasureFolder
    check: Checker
    webhooks: WebhookDesk
    orders: OrderStore
    hostname: Callable[[], str] = lambda: ""
    tracking_host: Callable[[], str] = lambda: ""
    asking: Asking = nobody_to_ask
    cancelling: Cancelling = nobody_to_cancel

    def call(self, caller: Caller, path: str, query: Mapping[str, str], actor: str) -> Call:
        """Return what the handlers get when *caller* asks; *actor* is how the audit log names them."""
        return Call(
            store=self.store,
            events=self.events,
            reports=self.reports,
            news=self.news,
            texts=self.texts,
            erasures=self.erasures,
            check=self.check,
            asking=self.asking,
            cancelling=self.cancelling,
            webhooks=self.webhooks,
            orders=self.orders,
            caller=caller,
            actor=actor,
            hostname=self.hostname(),
            tracking_host=self.tracking_host(),
            path=path,
            query=query,
        )


def make_manage_routes(ports: ManagePorts, authenticator: Authenticator) -> list[BaseRoute]:
    """Return the manage API as routes to be mounted at the top of an application."""

    def call(caller: Caller, request: Request) -> Call:
        return ports.call(caller, request.url.path, dict(request.query_params), actor_of(caller))

    return make_routes(MANAGE, KeyGate(authenticator, call))
