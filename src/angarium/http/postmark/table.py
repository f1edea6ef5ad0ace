"""Every route of Postmark's API in one table, those that are not offered as well: the page of the documentation and the
application are made from it.
"""

from typing import Final

from angarium.http.api.endpoint import Endpoint
from angarium.http.postmark import bounces, messages, readers, streams, suppressions

_MAIL: Final = "message_events/view"
_LISTS: Final = "suppression_lists/manage"
_MANAGE: Final = "account/manage"
_STREAM: Final = "/message-streams/{stream}"

SERVER_ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "/deliverystats", bounces.show_delivery_stats, _MAIL),
    Endpoint("GET", "/bounces", bounces.list_bounces, _MAIL),
    Endpoint("GET", "/bounces/tags", bounces.list_tags, _MAIL),
    Endpoint("GET", "/bounces/{bounce}", bounces.show_bounce, _MAIL),
    Endpoint("GET", "/bounces/{bounce}/dump", bounces.dump_bounce, _MAIL),
    Endpoint("PUT", "/bounces/{bounce}/activate", bounces.activate_bounce, _LISTS),
    Endpoint("GET", "/messages/outbound", messages.list_messages, _MAIL),
    Endpoint("GET", "/messages/outbound/opens", readers.list_opens, _MAIL),
    Endpoint("GET", "/messages/outbound/opens/{message}", readers.list_opens_of, _MAIL),
    Endpoint("GET", "/messages/outbound/clicks", readers.list_clicks, _MAIL),
    Endpoint("GET", "/messages/outbound/clicks/{message}", readers.list_clicks_of, _MAIL),
    Endpoint("GET", "/messages/outbound/{message}/details", messages.show_message, _MAIL),
    Endpoint("GET", "/messages/outbound/{message}/dump", messages.dump_message, _MAIL),
    Endpoint("GET", "/message-streams", streams.list_streams, _MANAGE),
    Endpoint("POST", "/message-streams", streams.create_stream, _MANAGE),
    Endpoint("GET", _STREAM, streams.show_stream, _MANAGE),
    Endpoint("PATCH", _STREAM, streams.change_stream, _MANAGE),
    Endpoint("POST", f"{_STREAM}/archive", streams.archive_stream, _MANAGE),
    Endpoint("POST", f"{_STREAM}/unarchive", streams.unarchive_stream, _MANAGE),
    Endpoint("GET", f"{_STREAM}/suppressions/dump", suppressions.dump_suppressions, _LISTS),
    Endpoint("POST", f"{_STREAM}/suppressions", suppressions.create_suppressions, _LISTS),
    Endpoint("POST", f"{_STREAM}/suppressions/delete", suppressions.delete_suppressions, _LISTS),
)
"""With a server token."""

ACCOUNT_ENDPOINTS: Final[tuple[Endpoint, ...]] = ()
"""With an account token."""
