"""What people may do who log in to the pages, by their role; pages, API and commands obey the same grants."""

from typing import Final, NamedTuple

from angarium.identity.grants import GRANTS, NODE_GRANT

NO_ROLE: Final = "sender"
"""Of people who only send by SMTP."""

CONTENT_GRANT: Final = "message_content/view"
"""To read what mail said. A role has it beside `message_events/view`, which tells of envelope and events only."""


class Role(NamedTuple):
    """One role: what it is for, in a sentence, and what it may do."""

    about: str
    grants: frozenset[str]


_ACCOUNT: Final = frozenset(GRANTS) - {NODE_GRANT}
_READING: Final = frozenset(("message_events/view", "metrics/view"))

ROLES: Final[dict[str, Role]] = {
    NO_ROLE: Role("Sends by SMTP with their password; may not log in to the pages.", frozenset()),
    "viewer": Role("Sees mail, reports and suppressions of the account.", _READING),
    "support": Role(
        "Answers customers: sees mail and what it said, suppresses and lifts.",
        _READING | {CONTENT_GRANT, "suppression_lists/manage"},
    ),
    "marketer": Role(
        "Sends campaigns: reports, templates, recipient lists; not what mail said.",
        _READING
        | {
            *("templates/modify", "templates/preview", "recipient_lists/manage"),
            *("transmissions/modify", "suppression_lists/manage"),
        },
    ),
    "developer": Role(
        "Builds on it: all of the account but its people.",
        _ACCOUNT - {"users/manage", "account/manage"} | {CONTENT_GRANT},
    ),
    "owner": Role("May do all in the account.", _ACCOUNT | {CONTENT_GRANT}),
    "operator": Role("Runs the node: everything of all accounts.", frozenset(GRANTS) | {CONTENT_GRANT}),
}
"""The roles, from the least to the most."""
