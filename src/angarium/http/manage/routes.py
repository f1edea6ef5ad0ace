"""The manage API, served: its table of endpoints, and what a call of theirs may touch."""

from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.routing import BaseRoute

from angarium.events.bodies.store import BodyStore
from angarium.events.news import StoredNews
from angarium.events.port import EventStore
from angarium.events.reports.reporter import MailReporter
from angarium.http.api.application import make_routes
from angarium.http.api.caller import Authenticator, Caller, actor_of
from angarium.http.api.keys import KeyGate
from angarium.http.manage.call import Call, Checker
from angarium.http.manage.table import MANAGE
from angarium.identity.store.store import IdentityStore


class ManagePorts(NamedTuple):
    """What the handlers work with, each by a field of `Call`.

    *hostname* tells the node's name, to which bounces come; without it the records about bounces are left out.
    """

    store: IdentityStore
    events: EventStore
    reports: MailReporter
    news: StoredNews
    texts: BodyStore
    check: Checker
    hostname: Callable[[], str] = lambda: ""


def make_manage_routes(ports: ManagePorts, authenticator: Authenticator) -> list[BaseRoute]:
    """Return the manage API as routes to be mounted at the top of an application."""

    def call(caller: Caller, request: Request) -> Call:
        return Call(
            store=ports.store,
            events=ports.events,
            reports=ports.reports,
            news=ports.news,
            texts=ports.texts,
            check=ports.check,
            caller=caller,
            actor=actor_of(caller),
            hostname=ports.hostname(),
            path=request.url.path,
            query=dict(request.query_params),
        )

    return make_routes(MANAGE, KeyGate(authenticator, call))
