"""What is known of orders, for whoever asks: how far each has come, and what is commanded. Blocks, so call it in
threads.
"""

from typing import Literal, NamedTuple

from angarium.core.ids import MessageId, format_id
from angarium.core.orders import OrderState, Share
from angarium.spool.orders import Mark, OrderStore

Wish = Literal["pause", "resume", "cancel"]


class CampaignView(NamedTuple):
    """One order. *recipients* and *slices* are what it has, None while its list is still being read; *made* of the
    slices are in the queue, or have left it. *due_at* None: it was to leave at once.
    """

    id: str
    name: str
    state: OrderState
    made_at: float
    due_at: float | None
    recipients: int | None
    slices: int | None
    made: int
    account: int
    server: int
    list: str


def campaigns(store: OrderStore, now: float, account: int | None = None) -> list[CampaignView]:
    """Return the orders, of one account or of all, the newest first. Raises OSError."""
    found = (campaign(store, each, now) for each in reversed(store.ids()))
    return [each for each in found if account is None or each.account == account]


def campaign(store: OrderStore, id: MessageId, now: float) -> CampaignView:
    """Return what is known of one. Raises OSError, FileNotFoundError where there is none of that id."""
    order = store.order(id)
    shares = [store.share(id, number) for number in range(order.shares)]
    extent, message = store.extent(id), order.message
    made = sum(
        max(0, share.next - number + order.shares - 1) // order.shares
        for number, share in enumerate(shares)
        if share is not None
    )
    return CampaignView(
        id=format_id(id),
        name=order.name,
        state=_state(store.marks(id), shares, message.begins_at > now),
        made_at=order.made_at,
        due_at=message.due_at,
        recipients=extent.recipients if extent is not None else None,
        slices=extent.slices if extent is not None else None,
        made=min(made, extent.slices) if extent is not None else made,
        account=message.account,
        server=message.server,
        list=order.source,
    )


def _state(marks: set[Mark], shares: list[Share | None], is_later: bool) -> OrderState:
    if "cancelled" in marks:
        return "cancelled"
    if "paused" in marks:
        return "paused"
    if all(share is not None and share.is_done for share in shares):
        return "made"
    return "scheduled" if is_later else "making"


def wish(store: OrderStore, id: MessageId, wanted: Wish) -> str:
    """Command something of an order, which the workers carry out within seconds. Returns why that makes no sense, or an
    empty text. Raises OSError.
    """
    if "cancelled" in store.marks(id):
        return "" if wanted == "cancel" else "it was cancelled, which cannot be taken back"
    if wanted == "resume":
        store.unmark(id, "paused")
    else:
        store.mark(id, "cancelled" if wanted == "cancel" else "paused")
    return ""
