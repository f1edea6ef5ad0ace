"""How the recorder is doing, as it tells its supervisor."""

import msgspec


class RecorderStatus(msgspec.Struct, frozen=True):
    """How the recorder is doing. *lag_s* is how long ago that happened which it reads now, 0 when it has read all that
    there is. *taken* counts what it has stored since it began. *error* says what keeps it from going on, or is empty.
    *held* counts suppressions that wait for somebody's word, *unsuppressed* says why nothing is suppressed. *types* and
    *bounces* are what it has stored by type, and the bounces by category. The kept texts of mail take *text_bytes*, and
    *texts_left_out* were not kept for want of room. The store takes *event_bytes*, *event_day_dropped* is the day that
    went last for want of room (empty: none did), and *events_too_late* were of days that are not kept. There are so
    many *webhooks*, of which *webhooks_off* were switched off since they took nothing.
    """

    lag_s: float = 0.0
    taken: int = 0
    error: str = ""
    held: int = 0
    unsuppressed: str = ""
    types: dict[str, int] = {}
    bounces: dict[str, int] = {}
    text_bytes: int = 0
    texts_left_out: int = 0
    event_bytes: int = 0
    event_day_dropped: str = ""
    events_too_late: int = 0
    webhooks: int = 0
    webhooks_off: int = 0
