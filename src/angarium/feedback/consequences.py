"""What follows from a bounce, a complaint or an unsubscription for the address: nothing, something to remember, or a
suppression. Pure. Each rule is a function of its own, and says its reason in words.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from angarium.feedback.classify import Verdict

Reason = Literal["hard_bounce", "complaint", "unsubscribe"]
"""Why an address is suppressed (`suppressions.records.Reason`), as far as a recipient can cause it."""

Effect = Literal[
    "nothing",
    "note",  # remembered: it suppresses when it has come often enough
    "suppress",
    "lift",  # what suppresses for the reason does so no more
]
Scope = Literal["account", "stream"]
"""What an address gets no more: any mail of the account, or that of the stream."""


class Occurrence(NamedTuple):
    """One thing that has come back about one recipient. *type* is that of the catalogue (`bounced`, `late_bounce`,
    `expired`, `complaint`, `unsubscribe` …), *verdict* what an answer means, None where there is none.

    *is_signed*: it was said in session, or to an address that this node has signed. *recipients* counts those whom it
    may be about: that it names, or that the message had. *complaint* is the kind of a complaint (RFC 5965 §3.1).
    """

    type: str
    verdict: Verdict | None = None
    is_signed: bool = True
    recipients: int = 1
    complaint: str = ""


class Earlier(NamedTuple):
    """What was remembered of the address since something was delivered to it: on how many other days its domain did not
    exist, and how many failures of the same class there were in a row.
    """

    days: int = 0
    in_a_row: int = 0


class SuppressionRules(NamedTuple):
    """What the operator says. *gone_domain_days*: a domain that does not exist suppresses when that was so on so many
    different days. *in_a_row*: so many failures of one class in a row suppress, whoever is at fault. 0: never.
    """

    gone_domain_days: int = 2
    in_a_row: int = 0


class Consequence(NamedTuple):
    """What follows. *why* says it in words, *rule* is the rule's name. *reason* is set where something is suppressed,
    or is remembered for that.
    """

    effect: Effect
    rule: str
    why: str
    reason: Reason | None = None

    @property
    def scope(self) -> Scope:
        """An address that is gone is so for all; who complains or wants no more speaks of what they got."""
        return "account" if self.reason == "hard_bounce" else "stream"


FAILURES: Final = ("bounced", "late_bounce", "expired")
"""Types that say that mail has failed for good."""
_BOUNCES: Final = ("bounced", "late_bounce")
GONE: Final = "no_such_host"
WANTED: Final = ("not-spam", "auth-failure", "dmarc", "opt-out-list")
"""Kinds of feedback reports in which nobody complains (RFC 5965 §7.3, RFC 6591, RFC 7489)."""

_HARD: Final = {
    "no_such_recipient": "there is no such mailbox",
    "moved": "the mailbox is elsewhere now",
    "takes_no_mail": "the domain takes no mail",
}

_Rule = Callable[[Occurrence, Earlier, SuppressionRules], Consequence | None]


def follows(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence:
    """Return what follows from *what*: the first rule that has something to say, decides."""
    for rule in _RULES:
        found = rule(what, earlier, rules)
        if found is not None:
            return found
    return Consequence("nothing", "no failure", "nothing has failed for good, and nobody complains")


def _not_a_failure(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type == "auto_reply":
        return Consequence(
            "nothing", "automatic reply", "a program answers for a person: the mail has arrived"
        )
    if what.type == "delayed":
        return Consequence("nothing", "delayed", "it is tried again: a delay is no bounce")
    return None


def _unsigned_for_several(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.is_signed or what.recipients <= 1:
        return None
    why = f"it came to no address that this node has signed, and may be about {what.recipients} recipients"
    return Consequence("nothing", "unsigned", why)


def _complaint(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type != "complaint":
        return None
    if what.complaint in WANTED:
        return Consequence(
            "nothing", "no complaint", f"a report of the kind {what.complaint!r} complains of nothing"
        )
    return Consequence("suppress", "complaint", "the recipient has called it unwanted", "complaint")


def _unsubscribe(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type not in ("unsubscribe", "link_unsubscribe"):
        return None
    return Consequence("suppress", "unsubscription", "the recipient wants no more", "unsubscribe")


def _resubscribe(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type != "resubscribe":
        return None
    return Consequence("lift", "taken back", "the recipient has taken the unsubscription back", "unsubscribe")


def _unknown_reason(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type not in FAILURES or what.verdict is not None:
        return None
    return Consequence("nothing", "no answer", "no peer has said anything of it")


def _gone_domain(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type not in _BOUNCES or what.verdict is None or what.verdict.reason.name != GONE:
        return None
    if not what.verdict.is_hard:
        return None
    days, most = earlier.days + 1, rules.gone_domain_days
    if not most:
        return Consequence("nothing", "gone domain", "a domain that does not exist suppresses nothing here")
    if days >= most:
        why = f"the domain did not exist on {days} different days"
        return Consequence("suppress", "gone domain", why, "hard_bounce")
    why = f"the domain did not exist on {days} of {most} different days: DNS may be wrong for a day"
    return Consequence("note", "gone domain", why, "hard_bounce")


def _hard(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type not in _BOUNCES or what.verdict is None or not what.verdict.is_hard:
        return None
    return Consequence("suppress", "hard bounce", _HARD[what.verdict.reason.name], "hard_bounce")


def _in_a_row(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type not in FAILURES or what.verdict is None or not rules.in_a_row:
        return None
    number, most = earlier.in_a_row + 1, rules.in_a_row
    of = f"of class {what.verdict.reason.number} ({what.verdict.reason.bounce_class.name}) in a row"
    if number >= most:
        return Consequence("suppress", "failures in a row", f"{number} failures {of}", "hard_bounce")
    why = f"failure {number} of {most} {of}"
    return Consequence("note", "failures in a row", why, "hard_bounce")


def _others_fault(what: Occurrence, earlier: Earlier, rules: SuppressionRules) -> Consequence | None:
    if what.type not in FAILURES or what.verdict is None:
        return None
    reason = what.verdict.reason
    if what.type == "expired":
        return Consequence(
            "nothing", "expired", "it was not delivered in time, which says nothing of the address"
        )
    if what.verdict.is_transient and reason.is_permanent:
        return Consequence("nothing", "may pass", "by its own code it may pass: it is no hard bounce")
    if reason.fault == "nobody":
        return Consequence("nothing", "reason unknown", "it is not known why, and so not whose fault it is")
    if reason.fault == "recipient":
        return Consequence("nothing", "soft bounce", "it may be another time: such a failure passes")
    return Consequence("nothing", f"fault of the {reason.fault}", "the address is not at fault")


_RULES: Final[tuple[_Rule, ...]] = (
    _not_a_failure,
    _unsigned_for_several,
    _complaint,
    _unsubscribe,
    _resubscribe,
    _unknown_reason,
    _gone_domain,
    _hard,
    _in_a_row,
    _others_fault,
)
