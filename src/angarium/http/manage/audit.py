"""The manage API: who changed what."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from angarium.http.manage.call import AccountQuery, Call
from angarium.http.manage.views import ChangeView, Page, change_view
from angarium.identity.records import Change

_OPERATOR: Final = "operator"
_SOMEBODY: Final = re.compile(r"key:(\d+)|cli:")


def list_changes(call: Call, query: AccountQuery) -> Page[ChangeView]:
    """List changes, oldest first. To an account, whoever runs the node is `operator`."""
    rows = call.store.audit.page(call.listed(query.account), after=query.after, limit=query.limit + 1)
    own = set() if call.operator else _own_keys(call, rows)

    def view(change: Change) -> ChangeView:
        return change_view(change if call.operator else _without_operators(change, own))

    return call.page(rows, query, view, lambda row: row.id)


def _own_keys(call: Call, changes: Iterable[Change]) -> set[int]:
    """Return those keys who made *changes* that are the account's own, or were until they were deleted."""
    keys = {int(found[1]) for row in changes if (found := _SOMEBODY.match(row.actor)) and found[1]}
    return call.store.audit.keys_of(call.caller.account.id, keys)


def _without_operators(change: Change, own: set[int]) -> Change:
    who = _SOMEBODY.match(change.actor)
    if who is None or (who[1] is not None and int(who[1]) in own):
        return change
    return msgspec.structs.replace(change, actor=_OPERATOR)
