"""API keys: listed, made, switched off, deleted. A secret is in the answer to its making, and nowhere else."""

from typing import Any, Final

import msgspec

from angarium.dashboard.page import PageRequest, PageView, SentTo
from angarium.http.api.decoding import decode_body
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.bodies import KeyChange, KeyNew
from angarium.http.manage.credentials import CredentialQuery, change_key, create_key, delete_key, list_keys
from angarium.identity.grants import GRANTS, NODE_GRANT

PAGE_SIZE: Final = 100
PRESETS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "send": ("Sends mail, by SMTP and by HTTP.", ("smtp/inject", "transmissions/modify")),
    "read": ("Reads what became of mail, and reports.", ("message_events/view", "metrics/view")),
    "all": ("All that its maker may in this account.", tuple(sorted(GRANTS.keys() - {NODE_GRANT}))),
}
"""What a key may do, in a sentence, and the grants it gets for that."""


def show_keys(asked: PageRequest) -> PageView:
    """Show the account's keys."""
    return _listed(asked, None)


def create(asked: PageRequest) -> PageView:
    """Make a key, and show its secret this once."""
    preset = PRESETS.get(asked.form.get("may", ""))
    if preset is None:
        raise HttpProblem("invalid", f"choose what the key may do: {', '.join(PRESETS)}")
    grants = [grant for grant in preset[1] if grant in asked.call.caller.grants]
    label = asked.form.get("label", "").strip()
    body = decode_body(msgspec.json.encode({"label": label, "grants": grants}), KeyNew)
    return _listed(asked, create_key(asked.call, body))


def switch(asked: PageRequest) -> SentTo:
    """Switch a key on or off."""
    is_on = asked.form.get("enabled") == "true"
    body = decode_body(msgspec.json.encode({"enabled": is_on}), KeyChange)
    key = change_key(asked.call, _number(asked), body)
    return SentTo("/keys", f"{key.label} is {'on' if is_on else 'off'}")


def remove(asked: PageRequest) -> SentTo:
    """Delete a key: it is refused within a second."""
    delete_key(asked.call, _number(asked))
    return SentTo("/keys", "The key is deleted")


def _number(asked: PageRequest) -> int:
    text = asked.form.get("key", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise HttpProblem("not-found", "there is no such key")
    return int(text)


def _listed(asked: PageRequest, made: Any) -> PageView:
    query = CredentialQuery(limit=PAGE_SIZE, account=asked.call.caller.account.id)
    values = {
        "title": "Keys",
        "keys": list_keys(asked.call, query).data,
        "made": made,
        "presets": PRESETS,
        "confirm": asked.query.get("delete", ""),
    }
    return PageView("keys.html", values, cli="angarium keys list", api="/manage/v1/keys")
