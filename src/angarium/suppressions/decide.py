"""Which of the causes that stand for an address stop a mail to it. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from angarium.core.clock import rfc3339
from angarium.core.records import TRANSACTIONAL, Message
from angarium.core.reply import Reply
from angarium.suppressions.address import tag_of
from angarium.suppressions.records import (
    ALL_BROADCAST,
    ALL_TRANSACTIONAL,
    EVERYTHING,
    RECIPIENT_REASONS,
    Cause,
    Reason,
    stream_scope,
)

REASON_WORDS: Final[dict[Reason, str]] = {
    "hard_bounce": "hard bounce",
    "complaint": "complaint",
    "unsubscribe": "unsubscribed",
    "manual": "put on the list",
    "compliance": "put on the list by the operator",
}


class MailFacts(NamedTuple):
    """What of a mail decides. *reasons* are those of recipients that its stream, server or account lets suppress, None
    where nobody says; *skips*: it is sent whatever the sender's own lists say.
    """

    account: int
    server: int = 0
    stream: str = ""
    transactional: bool = True
    reasons: tuple[str, ...] | None = None
    skips: bool = False


class Stop(NamedTuple):
    """Why a mail is not sent: as a reply, and the cause in words."""

    reply: Reply
    note: str


def facts_of(message: Message) -> MailFacts:
    """Return what of *message* decides."""
    options = message.options
    kind = options.transactional
    return MailFacts(
        message.account,
        message.server,
        options.stream or "",
        message.lane == TRANSACTIONAL if kind is None else kind,
        options.suppressed_by,
        bool(options.skip_suppression),
    )


@lru_cache(maxsize=4_096)
def tags_of(facts: MailFacts) -> tuple[bytes, ...]:
    """Return the tags of the lists that *facts* are held against: the account's, and the node's."""
    return tuple(tag_of(whose, scope) for whose in (facts.account, None) for scope in _scopes(facts))


def stopping(causes: Iterable[Cause], facts: MailFacts, now: float) -> Cause | None:
    """Return the first of *causes* that stops such a mail at *now*, or None. They are of the address, and of the mail's
    account or the node.
    """
    return next((cause for cause in causes if cause.stands(now) and _applies(cause, facts)), None)


def stop_for(cause: Cause) -> Stop:
    """Return what is said of a mail that *cause* stops."""
    words = REASON_WORDS[cause.reason]
    what = "" if cause.kind == "address" else f" by {cause.what}"
    said = f": {cause.reply}" if cause.reply else ""
    return Stop(
        Reply(550, "5.7.1", f"[internal] the recipient is suppressed{what}: {words}"),
        f"suppression {cause.id}: {words}, {rfc3339(cause.at)[:10]}{said}",
    )


def _scopes(facts: MailFacts) -> tuple[str, ...]:
    of_kind = ALL_TRANSACTIONAL if facts.transactional else ALL_BROADCAST
    stream = (stream_scope(facts.server, facts.stream),) if facts.stream else ()
    return (EVERYTHING, of_kind, *stream)


def _applies(cause: Cause, facts: MailFacts) -> bool:
    if cause.scope not in _scopes(facts):
        return False
    if cause.reason == "compliance":
        return True
    if facts.skips:
        return False
    if cause.reason not in RECIPIENT_REASONS:
        return True
    if facts.reasons is not None:
        return cause.reason in facts.reasons
    # who wants no newsletter may want a receipt, unless they said so of the receipts
    return not (facts.transactional and cause.reason == "unsubscribe" and cause.scope == EVERYTHING)
