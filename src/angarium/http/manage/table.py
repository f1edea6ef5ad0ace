"""Every route of the manage API in one table: the application and its OpenAPI document are made from it."""

from typing import Final

from angarium import __version__
from angarium.http.api.endpoint import Api, Endpoint, resource
from angarium.http.manage import (
    accounts,
    audit,
    bounces,
    campaigns,
    cancelling,
    credentials,
    domains,
    erasures,
    happened,
    people,
    reports,
    suppressions,
    webhooks,
)
from angarium.http.manage.assets import lists, snippets, templates
from angarium.http.manage.sending.table import SENDING
from angarium.identity.grants import NODE_GRANT
from angarium.identity.records import TRANSMIT_GRANT

PREFIX: Final = "/manage/v1"


_LISTS = "suppression_lists/manage"
_KEPT = "recipient_lists/manage"
_TEMPLATE = "/templates/{template}"
_LIST = "/recipient-lists/{recipient_list}"
_WEBHOOKS = "webhooks/modify"
_WEBHOOK = "/webhooks/{webhook}"
_CAMPAIGN = "/campaigns/{campaign}"
_STREAMS = "/servers/{server}/streams"
_STREAM = f"{_STREAMS}/{{stream}}"

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *resource(
        "/accounts",
        "account",
        "account/manage",
        (
            accounts.list_accounts,
            accounts.create_account,
            accounts.show_account,
            accounts.change_account,
            accounts.delete_account,
        ),
        own=NODE_GRANT,
    ),
    *resource(
        "/servers",
        "server",
        "account/manage",
        (
            accounts.list_servers,
            accounts.create_server,
            accounts.show_server,
            accounts.change_server,
            accounts.delete_server,
        ),
    ),
    Endpoint("GET", _STREAMS, accounts.list_streams, "account/manage"),
    Endpoint("POST", _STREAMS, accounts.create_stream, "account/manage", 201, conflicts=True),
    Endpoint("GET", _STREAM, accounts.show_stream, "account/manage"),
    Endpoint("PATCH", _STREAM, accounts.change_stream, "account/manage"),
    Endpoint("POST", f"{_STREAM}/archive", accounts.archive_stream, "account/manage", conflicts=True),
    Endpoint("POST", f"{_STREAM}/unarchive", accounts.unarchive_stream, "account/manage", conflicts=True),
    *resource(
        "/people",
        "person",
        "users/manage",
        (
            people.list_people,
            people.create_person,
            people.show_person,
            people.change_person,
            people.delete_person,
        ),
    ),
    *resource(
        "/keys",
        "key",
        "api_keys/manage",
        (
            credentials.list_keys,
            credentials.create_key,
            credentials.show_key,
            credentials.change_key,
            credentials.delete_key,
        ),
        conflicts=False,
    ),
    *resource(
        "/tokens",
        "token",
        "api_keys/manage",
        (
            credentials.list_tokens,
            credentials.create_token,
            credentials.show_token,
            credentials.change_token,
            credentials.delete_token,
        ),
    ),
    *resource(
        "/logins",
        "login",
        "api_keys/manage",
        (
            credentials.list_logins,
            credentials.create_login,
            credentials.show_login,
            credentials.change_login,
            credentials.delete_login,
        ),
    ),
    *resource(
        "/domains",
        "domain",
        "sending_domains/manage",
        (
            domains.list_domains,
            domains.create_domain,
            domains.show_domain,
            domains.change_domain,
            domains.delete_domain,
        ),
        conflicts=False,
    ),
    Endpoint("GET", "/domains/{domain}/records", domains.domain_records, "sending_domains/manage"),
    Endpoint("POST", "/domains/{domain}/verify", domains.verify_domain, "sending_domains/manage"),
    Endpoint(
        "POST", "/domains/{domain}/rotate", domains.rotate_domain, "sending_domains/manage", conflicts=True
    ),
    Endpoint("GET", "/grants", credentials.list_grants, None),
    Endpoint("GET", "/messages", happened.list_messages, "message_events/view"),
    Endpoint("GET", "/messages/export", happened.export_messages, "message_events/view", lines=True),
    Endpoint("GET", "/messages/{message}", happened.show_message, "message_events/view"),
    Endpoint("DELETE", "/messages/{message}", cancelling.cancel_message, TRANSMIT_GRANT, conflicts=True),
    Endpoint(
        "GET", "/messages/{message}/raw", happened.show_text, "message_events/view", media="message/rfc822"
    ),
    Endpoint("GET", "/events", happened.list_events, "message_events/view"),
    Endpoint("GET", "/events/export", happened.export_events, "message_events/view", lines=True),
    Endpoint("GET", "/campaigns", campaigns.list_campaigns, "transmissions/view"),
    Endpoint("GET", _CAMPAIGN, campaigns.show_campaign, "transmissions/view"),
    *(
        Endpoint("POST", f"{_CAMPAIGN}/{name}", handler, TRANSMIT_GRANT, conflicts=True)
        for name, handler in (
            ("pause", campaigns.pause_campaign),
            ("resume", campaigns.resume_campaign),
            ("cancel", campaigns.cancel_campaign),
        )
    ),
    Endpoint("GET", "/erasures", erasures.list_erasures, "account/manage"),
    Endpoint("POST", "/erasures", erasures.erase_recipient, "account/manage", 202),
    Endpoint("GET", "/erasures/{erasure}", erasures.show_erasure, "account/manage"),
    Endpoint("GET", "/bounces", bounces.list_bounces, "message_events/view"),
    Endpoint("GET", "/bounces/summary", bounces.summarise_bounces, "message_events/view"),
    Endpoint("GET", "/bounces/held", bounces.list_held, "suppression_lists/manage"),
    Endpoint("POST", "/bounces/held/release", bounces.release_held, "suppression_lists/manage"),
    Endpoint("POST", "/bounces/held/discard", bounces.discard_held, "suppression_lists/manage"),
    Endpoint("GET", "/bounces/{bounce}", bounces.show_bounce, "message_events/view"),
    Endpoint("POST", "/bounces/{bounce}/activate", bounces.activate_bounce, "suppression_lists/manage"),
    Endpoint("GET", "/reports", reports.show_report, "metrics/view"),
    Endpoint("GET", "/reports/export", reports.export_report, "metrics/view", lines=True),
    Endpoint("GET", "/reports/replies", reports.list_replies, "metrics/view"),
    Endpoint("GET", "/suppressions", suppressions.list_suppressions, _LISTS),
    Endpoint("POST", "/suppressions", suppressions.add_suppressions, _LISTS, conflicts=True),
    Endpoint("GET", "/suppressions/export", suppressions.export_suppressions, _LISTS, lines=True),
    Endpoint("POST", "/suppressions/remove", suppressions.remove_suppressions, _LISTS),
    Endpoint("POST", "/suppressions/undo", suppressions.undo_suppressions, _LISTS),
    Endpoint("GET", "/suppressions/{suppression}", suppressions.show_suppression, _LISTS),
    Endpoint("GET", "/templates", templates.list_templates, "templates/view"),
    Endpoint("POST", "/templates", templates.create_template, "templates/modify", 201, conflicts=True),
    Endpoint("POST", "/templates/validate", templates.validate_template, "templates/preview", conflicts=True),
    Endpoint("GET", _TEMPLATE, templates.show_template, "templates/view", conflicts=True),
    Endpoint("PATCH", _TEMPLATE, templates.change_template, "templates/modify", conflicts=True),
    Endpoint("DELETE", _TEMPLATE, templates.delete_template, "templates/modify", 204, conflicts=True),
    Endpoint("POST", f"{_TEMPLATE}/publish", templates.publish_template, "templates/modify", conflicts=True),
    Endpoint("POST", f"{_TEMPLATE}/discard", templates.discard_draft, "templates/modify", conflicts=True),
    Endpoint("POST", f"{_TEMPLATE}/preview", templates.preview_template, "templates/preview", conflicts=True),
    Endpoint("GET", "/snippets", snippets.list_snippets, "templates/view"),
    Endpoint("POST", "/snippets", snippets.create_snippet, "templates/modify", 201, conflicts=True),
    Endpoint("GET", "/snippets/{snippet}", snippets.show_snippet, "templates/view"),
    Endpoint("PATCH", "/snippets/{snippet}", snippets.change_snippet, "templates/modify"),
    Endpoint("DELETE", "/snippets/{snippet}", snippets.delete_snippet, "templates/modify", 204),
    Endpoint("GET", "/recipient-lists", lists.list_recipient_lists, _KEPT),
    Endpoint("POST", "/recipient-lists", lists.create_recipient_list, _KEPT, 201, conflicts=True),
    Endpoint("GET", _LIST, lists.show_recipient_list, _KEPT),
    Endpoint("PATCH", _LIST, lists.change_recipient_list, _KEPT, conflicts=True),
    Endpoint("DELETE", _LIST, lists.delete_recipient_list, _KEPT, 204),
    Endpoint("GET", f"{_LIST}/recipients", lists.list_recipients, _KEPT),
    Endpoint("POST", f"{_LIST}/recipients", lists.add_recipients, _KEPT, conflicts=True),
    Endpoint("GET", f"{_LIST}/export", lists.export_recipients, _KEPT, lines=True),
    Endpoint("POST", f"{_LIST}/remove", lists.remove_recipients, _KEPT),
    *resource(
        "/webhooks",
        "webhook",
        _WEBHOOKS,
        (
            webhooks.list_webhooks,
            webhooks.create_webhook,
            webhooks.show_webhook,
            webhooks.change_webhook,
            webhooks.delete_webhook,
        ),
    ),
    Endpoint("POST", f"{_WEBHOOK}/rotate", webhooks.rotate_webhook, _WEBHOOKS),
    Endpoint("POST", f"{_WEBHOOK}/end-old-secret", webhooks.end_old_secret, _WEBHOOKS, conflicts=True),
    Endpoint("POST", f"{_WEBHOOK}/test", webhooks.test_webhook, _WEBHOOKS),
    Endpoint("POST", f"{_WEBHOOK}/replay", webhooks.replay_webhook, _WEBHOOKS, conflicts=True),
    Endpoint("GET", f"{_WEBHOOK}/dead", webhooks.list_dead, _WEBHOOKS),
    Endpoint("POST", f"{_WEBHOOK}/dead/replay", webhooks.replay_dead, _WEBHOOKS),
    Endpoint("POST", f"{_WEBHOOK}/dead/drop", webhooks.drop_dead, _WEBHOOKS),
    Endpoint("GET", f"{_WEBHOOK}/batches", webhooks.list_batches, _WEBHOOKS),
    Endpoint("GET", "/audit", audit.list_changes, "account/manage"),
)

MANAGE: Final = Api(
    PREFIX,
    ENDPOINTS,
    "Angarium manage API",
    __version__,
    "Accounts, servers, streams, people, keys, tokens, logins and sending domains; sending; messages and what became "
    "of them; suppressions; templates, snippets and lists of recipients; webhooks.",
    elsewhere=SENDING,
)
