"""What becomes of a recipient: from what the peer said (or we found) to the event that records it. Pure.

No function here applies the event it returns. Our own replies carry `[internal]` in their text.
"""

from random import Random

from angarium.config.model import OutboundOptions
from angarium.core.records import Attempt, Event, Recipient, Stage
from angarium.core.reply import Reply
from angarium.queue.commands import Result
from angarium.queue.retry import expires_at, out_of_retries, retry_wait_s

SAID_OF_THE_MESSAGE: frozenset[Stage] = frozenset(("rcpt", "data", "body", "final"))
"""From here on the message may be why a session ended; before, it is nothing to the message."""

EXPIRED = Reply(554, "5.4.7", "[internal] not delivered within the time the sender's system allows")
TOO_MANY_RETRIES = Reply(554, "5.4.7", "[internal] not delivered within the number of tries allowed")
NOT_ATTEMPTED = Reply(554, "5.4.5", "[internal] too old to be tried again")
PURGED = Reply(554, "5.7.0", "[internal] removed by the operator")


def judge(result: Result, options: OutboundOptions, now: float, rng: Random) -> Event | None:
    """Return the event that *result* means; None when the recipient was not tried and is ready again.

    A session that ended before a recipient was named has tried no recipient: the next host may (RFC 5321 §5.1).
    """
    recipient, reply, attempt = result.recipient, result.reply, result.attempt
    verdict = result.verdict
    if verdict == "delivered":
        return recipient.event(
            "delivered", now, "delivered", attempts=recipient.attempts + 1, reply=reply, attempt=attempt
        )
    if verdict == "untried":
        return None
    if verdict == "suppressed":
        return recipient.event("suppressed", now, "suppressed", reply=reply, note=result.note)
    if verdict == "generation_failure" or verdict == "generation_rejection":
        return recipient.event(verdict, now, "bounced", reply=reply, note=result.note)
    if verdict == "permanent":
        return failed(recipient, reply, attempt, now)
    if verdict == "ambiguous":
        return _ambiguous(result, options, now, rng)
    if result.session_fault and attempt.stage not in SAID_OF_THE_MESSAGE:
        return None
    return put_off(recipient, reply, attempt, options, now, rng)


def failed(recipient: Recipient, reply: Reply, attempt: Attempt | None, now: float) -> Event:
    """A permanent failure: bounced."""
    return recipient.event(
        "bounced", now, "bounced", attempts=recipient.attempts + 1, reply=reply, attempt=attempt
    )


def put_off(
    recipient: Recipient,
    reply: Reply,
    attempt: Attempt | None,
    options: OutboundOptions,
    now: float,
    rng: Random,
) -> Event:
    """A temporary failure, counted: delayed with its next due time, or given up.

    The last try is due at the expiry at the latest, so that mail is not given up hours after its last chance.
    """
    attempts = recipient.attempts + 1
    if options.never_retry:
        return failed(recipient, reply, attempt, now)
    reason = _why_given_up(recipient, attempts, options, now)
    if reason is not None:
        note = f"last answer: {reply}"
        return recipient.event(
            "expired", now, "expired", attempts=attempts, reply=reason, attempt=attempt, note=note
        )
    due_at = min(now + retry_wait_s(attempts, options, rng), max(now, expires_at(recipient, options)))
    return recipient.event(
        "delayed", now, "queued", due_at=due_at, attempts=attempts, reply=reply, attempt=attempt
    )


def expired(recipient: Recipient, options: OutboundOptions, now: float) -> Event | None:
    """The event for a recipient that is too old to be tried once more, or None while it is not.

    For settled and held mail, and for a ready recipient where `Never_Attempt_Expired_Messages` is set.
    """
    if now < expires_at(recipient, options):
        return None
    reason = NOT_ATTEMPTED if options.never_attempt_expired_messages else EXPIRED
    note = f"last answer: {recipient.last_reply}" if recipient.last_reply is not None else ""
    return recipient.event("expired", now, "expired", reply=reason, note=note)


def _ambiguous(result: Result, options: OutboundOptions, now: float, rng: Random) -> Event:
    """The connection was lost between the final dot and its reply: the message may have been delivered.

    *retry* risks a duplicate, *hold* leaves the decision to the operator (`Ambiguous_Delivery`).
    """
    recipient = result.recipient
    if options.ambiguous_delivery == "hold":
        return recipient.event(
            "ambiguous",
            now,
            "held",
            attempts=recipient.attempts + 1,
            reply=result.reply,
            attempt=result.attempt,
            note="held: it may have been delivered (Ambiguous_Delivery = hold)",
        )
    event = put_off(recipient, result.reply, result.attempt, options, now, rng)
    if event.state != "queued":
        return event
    return recipient.event(
        "ambiguous",
        now,
        "queued",
        due_at=event.due_at,
        attempts=event.attempts,
        reply=result.reply,
        attempt=result.attempt,
        note="tried again later: it may have been delivered (Ambiguous_Delivery = retry)",
    )


def _why_given_up(recipient: Recipient, attempts: int, options: OutboundOptions, now: float) -> Reply | None:
    if out_of_retries(attempts, options):
        return TOO_MANY_RETRIES
    return EXPIRED if now >= expires_at(recipient, options) else None
