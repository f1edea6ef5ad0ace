"""What the process that tells webhooks says of itself."""

import msgspec


class WebhooksStatus(msgspec.Struct, frozen=True):
    """*error* says what keeps it from telling anybody, or is empty. *lag_s* is how long ago that happened which waits
    longest for a webhook that works, *failing* how many are left alone. The rest counts from its start.
    """

    error: str = ""
    lag_s: float = 0.0
    failing: int = 0
    taken: int = 0
    failed: int = 0
    events: int = 0
    dead: int = 0
