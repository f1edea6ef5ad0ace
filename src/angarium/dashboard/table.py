"""All pages: the application and the menu are made from this table."""

from collections.abc import Container, Iterator
from typing import Final

from angarium.dashboard.page import DashboardPage
from angarium.dashboard.views import documentation, keys, mail, me, overview, reports, suppressions

PREFIX: Final = "/ui"

_LISTS: Final = "suppression_lists/manage"
_KEYS: Final = "api_keys/manage"
_EVENTS: Final = "message_events/view"

PAGES: Final[tuple[DashboardPage, ...]] = (
    DashboardPage("/", overview.show_overview, menu="Overview"),
    DashboardPage("/messages", mail.list_mail, _EVENTS, menu="Messages"),
    DashboardPage("/m/{message}", mail.show_mail, _EVENTS),
    DashboardPage("/suppressions", suppressions.list_suppressed, _LISTS, menu="Suppressions"),
    DashboardPage("/suppressions/add", suppressions.add, _LISTS, "POST"),
    DashboardPage("/suppressions/lift", suppressions.lift, _LISTS, "POST"),
    DashboardPage("/reports", reports.show_reports, "metrics/view", menu="Reports"),
    DashboardPage("/keys", keys.show_keys, _KEYS, menu="Keys"),
    DashboardPage("/keys/create", keys.create, _KEYS, "POST"),
    DashboardPage("/keys/switch", keys.switch, _KEYS, "POST"),
    DashboardPage("/keys/delete", keys.remove, _KEYS, "POST"),
    DashboardPage("/docs", documentation.show_index, menu="Documentation"),
    DashboardPage("/docs/find", documentation.find),
    DashboardPage("/docs/{page:path}", documentation.show_page),
    DashboardPage("/me", me.show_me),
    DashboardPage("/me/end", me.end_session, method="POST"),
    DashboardPage("/logout", me.log_out, method="POST"),
)


def menu_for(grants: Container[str]) -> Iterator[DashboardPage]:
    """Give the pages that somebody with *grants* has in the menu."""
    return (page for page in PAGES if page.menu and (page.grant is None or page.grant in grants))
