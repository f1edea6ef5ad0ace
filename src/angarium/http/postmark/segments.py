"""Where Postmark's API lies: the first segments of its paths, which stand at the root."""

from typing import Final

POSTMARK_SEGMENTS: Final = frozenset(
    (
        "bounces",
        "data-removals",
        "deliverystats",
        "domains",
        "message-streams",
        "messages",
        "senders",
        "server",
        "servers",
        "stats",
        "templates",
        "triggers",
        "webhooks",
    )
)
"""Of what reads and manages, in lower case."""
