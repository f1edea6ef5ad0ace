"""One request to the manage API as its handlers see it, and what it may touch."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import UnsetType

from angarium.core.options import Options
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import ErasureFolder
from angarium.events.news import StoredNews
from angarium.events.port import EventStore, Whose
from angarium.events.reports.reporter import MailReporter
from angarium.http.api.caller import Caller
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.bodies import Id
from angarium.http.manage.views import Page
from angarium.http.manage.waiting import Asking, Cancelling
from angarium.identity.domains.check import DomainReport
from angarium.identity.grants import NODE_GRANT, implied
from angarium.identity.records import SEND_GRANT, Credential, Domain
from angarium.identity.store.store import IdentityStore
from angarium.spool.orders import OrderStore
from angarium.sql.errors import NotFound
from angarium.webhooks.desk import WebhookDesk

R = TypeVar("R")
V = TypeVar("V")

Checker = Callable[[Domain], Awaitable[DomainReport]]
"""Asks the DNS about a domain; `identity.domains.check.check_domain` with a resolver."""


class LimitQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How much of a listing comes at once."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class PageQuery(LimitQuery):
    """Where a listing goes on, as well: behind the thing with that id; of things without ids, behind so many."""

    after: Id | None = None


class AccountQuery(PageQuery):
    """A listing of one account's things; without `account` of all that the key may see."""

    account: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose key is known. *actor* is how the audit log names who did it, *hostname* is the node's name,
    *tracking_host* what readers' programs come by, empty where that is the node's name.
    """

    store: IdentityStore
    events: EventStore
    reports: MailReporter
    news: StoredNews
    texts: BodyStore
    erasures: ErasureFolder
    check: Checker
    asking: Asking
    cancelling: Cancelling
    webhooks: WebhookDesk
    orders: OrderStore
    caller: Caller
    actor: str
    hostname: str
    tracking_host: str
    path: str
    query: Mapping[str, str]

    @property
    def operator(self) -> bool:
        """Whether the key is for the whole node."""
        return NODE_GRANT in self.caller.grants

    def sees(self, account: int | None, what: str) -> None:
        """Raise NotFound, as if *what* did not exist, when it is not the key's account's."""
        if not self.operator and account != self.caller.account.id:
            raise NotFound(what)

    def account_of(self, wanted: int | UnsetType | None) -> int:
        """Return the account that something is made for: *wanted*, or the key's own."""
        if not isinstance(wanted, int):
            return self.caller.account.id
        self.sees(wanted, f"account {wanted}")
        return wanted

    def listed(self, wanted: int | None) -> int | None:
        """Return the account whose things are listed; None is all accounts'."""
        if wanted is None:
            return None if self.operator else self.caller.account.id
        return self.account_of(wanted)

    def whose(self, wanted: int | None) -> Whose:
        """Return whose mail is looked at: that of the account *wanted*, or of all that the key may see."""
        return Whose(self.listed(wanted))

    def zone(self, wanted: int | None) -> str:
        """Return the time zone of the account *wanted*, None: of the key's own."""
        own = self.caller.account
        if wanted is None or wanted == own.id:
            return own.zone
        try:
            return self.store.accounts.get(self.account_of(wanted)).zone
        except NotFound:
            return own.zone  # whoever asks for mail of an account that is gone learns that there is none

    def operators_only(self, what: str) -> None:
        """Raise HttpProblem unless the key is for the whole node."""
        if not self.operator:
            raise HttpProblem(
                "not-allowed", f"{what} needs a key with the grant {NODE_GRANT}; ask who runs this node"
            )

    def called(self, actor: str) -> str:
        """Return who somebody is to the caller: to an account, whoever runs the node is `operator`."""
        return "operator" if actor.startswith("cli:") and not self.operator else actor

    def may_grant(self, grants: Iterable[str]) -> None:
        """Raise HttpProblem when a key would get *grants* that this one has not."""
        beyond = sorted(set(grants) - implied(self.caller.grants))
        if beyond:
            raise HttpProblem(
                "not-allowed", f"a key cannot give what it has not: leave out {', '.join(beyond)}"
            )

    def may_let_send(self) -> None:
        """Raise HttpProblem when this key may not send by SMTP itself: it lets nobody else do so."""
        self.may_grant((SEND_GRANT,))

    def may_choose(self, fields: Mapping[str, Any], old: Options) -> None:
        """Raise HttpProblem when *fields* choose another binding than *old*: bindings are the node's alone."""
        if fields.get("options", old).binding != old.binding:
            self.operators_only("choosing a binding")

    def may_touch(self, credential: Credential) -> None:
        """Raise HttpProblem when *credential* may do more than this key."""
        beyond = sorted(set(credential.grants) - implied(self.caller.grants))
        if beyond:
            raise HttpProblem(
                "not-allowed",
                f"key {credential.id} has grants that this key has not: {', '.join(beyond)}; "
                "use a key that has them",
            )

    def page(
        self, rows: list[R], query: LimitQuery, view: Callable[[R], V], at: Callable[[R], int | str]
    ) -> Page[V]:
        """Return a page of *rows*, which were asked for with `query.limit + 1`; *at* tells a row's id."""
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        return Page([view(row) for row in shown], self.next_path(at(shown[-1])) if more else None)

    def part(self, shown: list[V], query: PageQuery) -> Page[V]:
        """Return a page of *shown*, which is all that there is and has no ids."""
        end = (query.after or 0) + query.limit
        rest = shown[query.after or 0 : end]
        return Page(rest, self.next_path(end) if len(shown) > end else None)

    def next_path(self, after: int | str) -> str:
        """Return the path of the page that begins after that place."""
        return f"{self.path}?{urlencode({**self.query, 'after': after})}"
