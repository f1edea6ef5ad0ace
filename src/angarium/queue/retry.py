"""When a recipient is tried again, and when it is given up. Pure decisions."""

import math
from random import Random

from angarium.config.model import OutboundOptions
from angarium.core.records import Recipient

JITTER = 0.2
LAST_TRY_GRACE_S = 900.0


def retry_wait_s(attempts: int, options: OutboundOptions, rng: Random) -> float:
    """Seconds to the next try after *attempts* (≥ 1) finished ones.

    `Retry_Interval` doubles with each up to `Max_Retry_Interval`, then is stretched by 0–20 % so that mail
    that failed together does not come back together (RFC 5321 §4.5.4.1).
    """
    doublings = min(attempts - 1, 32)
    base = min(
        options.retry_interval * 2.0**doublings, max(options.max_retry_interval, options.retry_interval)
    )
    return base * (1.0 + JITTER * rng.random())


def expires_at(recipient: Recipient, options: OutboundOptions) -> float:
    """The moment at which `Message_Expiration` has passed, in epoch seconds."""
    return recipient.message.begins_at + options.message_expiration


def sweep_at(recipient: Recipient, options: OutboundOptions) -> float:
    """When a settled recipient may be expired without a further try.

    A last attempt is due at the expiry itself, unless `Never_Attempt_Expired_Messages`: leave it some time. Mail to us
    is never tried, and waits for its reader however long that takes.
    """
    if recipient.message.fate == "feedback":
        return math.inf
    grace = 0.0 if options.never_attempt_expired_messages else LAST_TRY_GRACE_S
    return expires_at(recipient, options) + grace


def out_of_retries(attempts: int, options: OutboundOptions) -> bool:
    """Whether *attempts* finished ones were the first and all `Max_Retries`; None allows any number."""
    return options.max_retries is not None and attempts > options.max_retries
