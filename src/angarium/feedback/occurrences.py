"""What the event store tells of a failure, a complaint, an unsubscription, as what the rules judge. Pure."""

from typing import Any, Final

from angarium.core.providers import OTHER
from angarium.events.port import Happening
from angarium.feedback.classify import Verdict, classify
from angarium.feedback.consequences import FAILURES, Occurrence
from angarium.feedback.reasons import REASONS
from angarium.feedback.sections import REPLY

TYPES: Final = (*FAILURES, "complaint", "unsubscribe", "link_unsubscribe", "resubscribe")
"""Of which something may follow."""

BOUNCE_TYPES: Final = (*FAILURES, "complaint", "unsubscribe", "link_unsubscribe", "auto_reply")
"""What is listed as having come back."""

STAGES: Final = {"mail": "mail", "rcpt": "rcpt", "data": "data", "body": "data", "final": "data"}
"""The command that was answered, by the stage that an attempt had reached."""

_OF_DNS: Final = "5.4.4"
"""The code of what routing has found (`queue.routing`): no such domain, or one that takes no mail."""
_SIGNED: Final = "return_path"
"""How mail to this node was matched (`core.records.FACT_FIELDS`) where nobody can have made it up."""


def occurrence_of(happening: Happening, recipients: int = 1) -> Occurrence:
    """Return what is judged, given how many recipients the message had."""
    details = happening.details
    return Occurrence(
        happening.type,
        verdict_of(happening) if happening.type in FAILURES else None,
        is_signed(happening),
        recipients,
        str(details.get("type", "")),
    )


def is_signed(happening: Happening) -> bool:
    """Whether it was said in session, by a link of the message, or to an address that this node has signed."""
    return bool(happening.details.get("by", _SIGNED) == _SIGNED)


def verdict_of(happening: Happening) -> Verdict | None:
    """Return what the answer of a failure means, None where there is none but this node's own: a refusal, an expiry."""
    details = happening.details
    if not happening.reply or not _is_of_others(happening):
        return None
    code = REPLY.search(happening.reply)
    status = str(details.get("status", "")) or ((code["status"] or "") if code else "")
    stage = STAGES.get(str(_attempt(happening).get("stage", details.get("stage", ""))), "")
    verdict = classify(happening.reply, status, stage, happening.provider or OTHER)
    told = REASONS.get(str(details.get("reason", "")))  # what a returned mail means as a whole
    return verdict if told is None else verdict._replace(reason=told)


def _is_of_others(happening: Happening) -> bool:
    """Whether it is not this node that says so: a peer, a mail, or the DNS, which says it of the recipient's domain."""
    if happening.type == "late_bounce" or happening.details.get("attempt"):
        return True
    domain = happening.address.rpartition("@")[2].lower()
    return bool(domain) and f" {_OF_DNS} " in happening.reply and domain in happening.reply.lower()


def _attempt(happening: Happening) -> dict[str, Any]:
    found = happening.details.get("attempt")
    return found if isinstance(found, dict) else {}
