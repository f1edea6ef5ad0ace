"""What an API key may be allowed to do: the grants of the SparkPost API, and one for the operator of the node."""

from collections.abc import Iterable
from typing import Final

NODE_GRANT: Final = "node/manage"
"""Reaches over account borders: for the operator's own keys."""

GRANTS: Final[dict[str, str]] = {
    "ab-testing/manage": "A/B testing: read and write",
    "account/manage": "Account: read and write",
    "api_keys/manage": "API keys: read and write",
    "events/ingest": "Events: ingest",
    "grants/view": "Grants: read",
    "inbound_domains/manage": "Inbound domains: read and write",
    "ip_pools/manage": "IP pools: read and write",
    "ip_pools/view": "IP pools: read",
    "message_events/view": "Message events: read",
    "metrics/view": "Metrics: read",
    NODE_GRANT: "Manage the whole node",
    "recipient_lists/manage": "Recipient lists: read and write",
    "relay_webhooks/modify": "Relay webhooks: read and write",
    "relay_webhooks/view": "Relay webhooks: read",
    "sending_domains/manage": "Sending domains: read and write",
    "smtp/inject": "Send via SMTP",
    "subaccount/manage": "Subaccounts: read and write",
    "subaccount/view": "Subaccounts: read",
    "suppression_lists/manage": "Suppression lists: read and write",
    "templates/modify": "Templates: read and write",
    "templates/preview": "Templates: preview",
    "templates/view": "Templates: read",
    "tracking_domains/manage": "Tracking domains: read and write",
    "tracking_domains/view": "Tracking domains: read",
    "transmissions/modify": "Transmissions: read and write",
    "transmissions/view": "Transmissions: read",
    "usage/view": "Usage: read",
    "users/manage": "Users: read and write",
    "webhooks/modify": "Event webhooks: read and write",
    "webhooks/view": "Event webhooks: read",
}
"""Each grant with the label that people see."""

_WRITING = ("/modify", "/manage")


def implied(grants: Iterable[str]) -> frozenset[str]:
    """Return *grants* and what they bring along: who may write something may read it."""
    given = frozenset(grants)
    reading = {grant.rpartition("/")[0] + "/view" for grant in given if grant.endswith(_WRITING)}
    return given | (reading & GRANTS.keys())
