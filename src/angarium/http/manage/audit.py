"""The manage API: who changed what."""

from angarium.http.manage.call import AccountQuery, Call
from angarium.http.manage.views import ChangeView, Page, change_view


def list_changes(call: Call, query: AccountQuery) -> Page[ChangeView]:
    """List changes, oldest first."""
    rows = call.store.audit.page(call.listed(query.account), after=query.after, limit=query.limit + 1)
    return call.page(rows, query, change_view, lambda row: row.id)
