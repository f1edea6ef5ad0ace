"""Every route of Postmark's API in one table, those that are not offered as well: the page of the documentation and the
application are made from it.
"""

from typing import Final

from angarium.http.api.endpoint import Endpoint
from angarium.http.postmark import (
    absent,
    bounces,
    domains,
    messages,
    readers,
    removals,
    servers,
    stats,
    streams,
    suppressions,
    webhooks,
)

_MAIL: Final = "message_events/view"
_LISTS: Final = "suppression_lists/manage"
_MANAGE: Final = "account/manage"
_DOMAINS: Final = "sending_domains/manage"
_HOOKS: Final = "webhooks/modify"
_HOOKS_VIEW: Final = "webhooks/view"
_METRICS: Final = "metrics/view"
_STATS: Final = "/stats/outbound"
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
    Endpoint("GET", "/webhooks", webhooks.list_webhooks, _HOOKS_VIEW),
    Endpoint("POST", "/webhooks", webhooks.create_webhook, _HOOKS),
    Endpoint("GET", "/webhooks/{webhook}", webhooks.show_webhook, _HOOKS_VIEW),
    Endpoint("PUT", "/webhooks/{webhook}", webhooks.change_webhook, _HOOKS),
    Endpoint("DELETE", "/webhooks/{webhook}", webhooks.delete_webhook, _HOOKS),
    Endpoint("GET", "/server", servers.show_own_server, _MANAGE),
    Endpoint("PUT", "/server", servers.change_own_server, _MANAGE),
    Endpoint("GET", _STATS, stats.show_overview, _METRICS),
    Endpoint("GET", f"{_STATS}/sends", stats.show_sends, _METRICS),
    Endpoint("GET", f"{_STATS}/bounces", stats.show_bounces, _METRICS),
    Endpoint("GET", f"{_STATS}/spam", stats.show_complaints, _METRICS),
    Endpoint("GET", f"{_STATS}/tracked", stats.show_tracked, _METRICS),
    Endpoint("GET", f"{_STATS}/opens", stats.show_opens, _METRICS),
    Endpoint("GET", f"{_STATS}/opens/platforms", stats.show_platforms, _METRICS),
    Endpoint("GET", f"{_STATS}/opens/emailclients", stats.show_clients, _METRICS),
    Endpoint("GET", f"{_STATS}/clicks", stats.show_clicks, _METRICS),
    Endpoint("GET", f"{_STATS}/clicks/browserfamilies", stats.show_browsers, _METRICS),
    Endpoint("GET", f"{_STATS}/clicks/platforms", stats.show_click_platforms, _METRICS),
    Endpoint("GET", f"{_STATS}/clicks/location", stats.show_places, _METRICS),
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

ACCOUNT_ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "/servers", servers.list_servers, _MANAGE),
    Endpoint("POST", "/servers", servers.create_server, _MANAGE),
    Endpoint("GET", "/servers/{server}", servers.show_server, _MANAGE),
    Endpoint("PUT", "/servers/{server}", servers.change_server, _MANAGE),
    Endpoint("DELETE", "/servers/{server}", servers.delete_server, _MANAGE),
    Endpoint("POST", "/data-removals", removals.create_removal, _MANAGE),
    Endpoint("GET", "/data-removals/{removal}", removals.show_removal, _MANAGE),
    Endpoint("GET", "/domains", domains.list_domains, _DOMAINS),
    Endpoint("POST", "/domains", domains.create_domain, _DOMAINS),
    Endpoint("GET", "/domains/{domain}", domains.show_domain, _DOMAINS),
    Endpoint("PUT", "/domains/{domain}", domains.change_domain, _DOMAINS),
    Endpoint("DELETE", "/domains/{domain}", domains.delete_domain, _DOMAINS),
    Endpoint("PUT", "/domains/{domain}/verifydkim", domains.verify_domain, _DOMAINS),
    Endpoint("PUT", "/domains/{domain}/verifyreturnpath", domains.verify_domain, _DOMAINS),
    Endpoint("POST", "/domains/{domain}/verifyspf", domains.verify_spf, _DOMAINS),
    Endpoint("POST", "/domains/{domain}/rotatedkim", domains.rotate_keys, _DOMAINS),
)
"""With an account token."""

ABSENT_OF_SERVER: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "/stats/outbound/opens/readtimes", absent.no_read_times, None),
    Endpoint("GET", "/templates", absent.no_templates, None),
    Endpoint("POST", "/templates", absent.no_templates, None),
    Endpoint("POST", "/templates/validate", absent.no_templates, None),
    Endpoint("GET", "/templates/{template}", absent.no_template, None),
    Endpoint("PUT", "/templates/{template}", absent.no_template, None),
    Endpoint("DELETE", "/templates/{template}", absent.no_template, None),
    Endpoint("GET", "/messages/inbound", absent.no_inbound, None),
    Endpoint("GET", "/messages/inbound/{message}/details", absent.no_inbound_message, None),
    Endpoint("PUT", "/messages/inbound/{message}/bypass", absent.no_inbound_message, None),
    Endpoint("PUT", "/messages/inbound/{message}/retry", absent.no_inbound_message, None),
    Endpoint("GET", "/triggers/inboundrules", absent.no_inbound, None),
    Endpoint("POST", "/triggers/inboundrules", absent.no_inbound, None),
    Endpoint("DELETE", "/triggers/inboundrules/{rule}", absent.no_inbound_rule, None),
)
ABSENT_OF_ACCOUNT: Final[tuple[Endpoint, ...]] = (
    Endpoint("PUT", "/templates/push", absent.no_templates, None),
    Endpoint("GET", "/senders", absent.no_senders, None),
    Endpoint("POST", "/senders", absent.no_senders, None),
    Endpoint("GET", "/senders/{sender}", absent.no_sender, None),
    Endpoint("PUT", "/senders/{sender}", absent.no_sender, None),
    Endpoint("DELETE", "/senders/{sender}", absent.no_sender, None),
    Endpoint("POST", "/senders/{sender}/resend", absent.no_sender, None),
    Endpoint("POST", "/senders/{sender}/verifyspf", absent.no_sender, None),
    Endpoint("POST", "/senders/{sender}/requestnewdkim", absent.no_sender, None),
)
"""What is answered with 501."""
