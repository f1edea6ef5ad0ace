"""Postmark's API, as an application to be mounted at the top."""

from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp

from angarium.core.clock import Clock
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import ErasureFolder
from angarium.events.port import EventStore
from angarium.events.reports.reporter import MailReporter
from angarium.http.api.endpoint import Endpoint
from angarium.http.manage.call import Checker
from angarium.http.postmark.application import PostmarkApp
from angarium.http.postmark.call import PostmarkCall
from angarium.http.postmark.gate import TokenGate, TokenKeeper
from angarium.http.postmark.table import (
    ABSENT_OF_ACCOUNT,
    ABSENT_OF_SERVER,
    ACCOUNT_ENDPOINTS,
    SERVER_ENDPOINTS,
)
from angarium.identity.store.store import IdentityStore


class PostmarkPorts(NamedTuple):
    """What the handlers work with, each by a field of `PostmarkCall`."""

    store: IdentityStore
    events: EventStore
    reports: MailReporter
    texts: BodyStore
    erasures: ErasureFolder
    check: Checker
    hostname: Callable[[], str]
    clock: Clock


def make_postmark_app(ports: PostmarkPorts, keeper: TokenKeeper) -> ASGIApp:
    """Return what answers all that reads and manages."""
    gate = TokenGate(keeper)
    of_account = frozenset((*ACCOUNT_ENDPOINTS, *ABSENT_OF_ACCOUNT))

    async def admit(request: Request, endpoint: Endpoint) -> PostmarkCall:
        is_of_account = endpoint in of_account
        principal = await (gate.account if is_of_account else gate.server)(request, endpoint)
        return PostmarkCall(principal=principal, **{**ports._asdict(), "hostname": ports.hostname()})

    of_server = (*SERVER_ENDPOINTS, *ABSENT_OF_SERVER)
    return PostmarkApp(
        (*ACCOUNT_ENDPOINTS, *ABSENT_OF_ACCOUNT, *of_server), admit
    )  # `/templates/push` is none
