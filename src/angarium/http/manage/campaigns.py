"""The manage API: mailings that are made into messages in the background, how far they have come; steering them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

from angarium.core.ids import MessageId, parse_id
from angarium.core.orders import OrderState
from angarium.engine.orders.look import CampaignView, Wish, campaign, campaigns, wish
from angarium.http.api.problem import unavailable
from angarium.http.manage.bodies import Id
from angarium.http.manage.call import Call, LimitQuery
from angarium.http.manage.views import Page
from angarium.sql.errors import Conflict, NotFound

T = TypeVar("T")

CampaignId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class CampaignsQuery(LimitQuery):
    """Which campaigns: those of one account, without `account` of all that the key may see; with a `name`, those that
    are called so. `after` is the one that the listing goes on behind.
    """

    after: CampaignId | None = None
    account: Id | None = None
    name: Annotated[str, msgspec.Meta(max_length=64)] = ""


class MailingView(msgspec.Struct, frozen=True):
    """One campaign. *state* is `scheduled`, `making`, `paused`, `made` (all of its messages are in the queue, or have
    left it) or `cancelled`. *recipients* and *messages* are null while its list is still being read; *made* of the
    messages, which have up to 1,000 recipients each, are in the queue or have left it. *send_at* is null where it was
    to leave at once. *list* is the id of the list that it goes to, where its recipients did not come with it.
    """

    id: str
    name: str
    state: OrderState
    account: int
    server: int
    received_at: datetime
    send_at: datetime | None
    recipients: int | None
    messages: int | None
    made: int
    list: int | None


def list_campaigns(call: Call, query: CampaignsQuery) -> Page[MailingView]:
    """List campaigns of the last 30 days, the newest first: mailings with more than 5,000 recipients, or to a stored
    list.
    """
    found = _read(lambda: campaigns(call.orders, time.time(), call.listed(query.account)))
    wanted = [
        each
        for each in found
        if (not query.name or each.name == query.name) and (query.after is None or each.id < query.after)
    ]
    return call.page(wanted, query, _view, lambda each: each.id)


def show_campaign(call: Call, campaign: str) -> MailingView:
    """Show how far a campaign has come. What became of its mail is in the reports by its name."""
    return _view(_known(call, campaign))


def pause_campaign(call: Call, campaign: str) -> MailingView:
    """Make no more messages of a campaign, and hold those that wait. The workers obey within seconds."""
    return _commanded(call, campaign, "pause")


def resume_campaign(call: Call, campaign: str) -> MailingView:
    """Go on with a campaign where it was paused."""
    return _commanded(call, campaign, "resume")


def cancel_campaign(call: Call, campaign: str) -> MailingView:
    """End a campaign: what has not left will not. That cannot be taken back."""
    return _commanded(call, campaign, "cancel")


def _commanded(call: Call, name: str, wanted: Wish) -> MailingView:
    found = _known(call, name)
    problem = _read(lambda: wish(call.orders, parse_id(found.id), wanted))
    if problem:
        raise Conflict(f"campaign {found.id}: {problem}")
    return _view(_known(call, name))


def _known(call: Call, name: str) -> CampaignView:
    """Return a campaign that the key may see. Raises NotFound."""
    try:
        id = parse_id(name)
    except ValueError as error:
        raise NotFound(f"campaign {name}") from error
    found = _read(lambda: _found(call, id))
    if found is None:
        raise NotFound(f"campaign {name}")
    call.sees(found.account, f"campaign {name}")
    return found


def _found(call: Call, id: MessageId) -> CampaignView | None:
    try:
        return campaign(call.orders, id, time.time())
    except FileNotFoundError:
        return None


def _read(work: Callable[[], T]) -> T:
    """Return what is read from the orders. Raises HttpProblem where the disk does not give it."""
    try:
        return work()
    except OSError as error:
        raise unavailable("the disk with the campaigns") from error


def _view(found: CampaignView) -> MailingView:
    return MailingView(
        id=found.id,
        name=found.name,
        state=found.state,
        account=found.account,
        server=found.server,
        received_at=_moment(found.made_at),
        send_at=None if found.due_at is None else _moment(found.due_at),
        recipients=found.recipients,
        messages=found.slices,
        made=found.made,
        list=int(found.list) if found.list else None,
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
