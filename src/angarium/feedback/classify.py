"""What an answer means: the reason, and the rule that found it. Answers of peers and returned mail are judged alike."""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import NamedTuple

from angarium.feedback.reasons import REASONS, BounceReason

LONGEST = 2_000
"""Characters of an answer that are looked at."""


_MEANT = {
    ("no_such_recipient", "mail"): "sender_refused",
    ("no_such_host", "mail"): "sender_refused",
    ("no_such_recipient", "data"): "refused_by_recipient",
}


class Verdict(NamedTuple):
    """Why, and the name of the rule that says so: empty where none does."""

    reason: BounceReason
    rule: str


class _Rule(NamedTuple):
    name: str
    reason: BounceReason
    text: "re.Pattern[str] | None"
    status: tuple[str, ...]


def classify(answer: str, status: str = "", stage: str = "") -> Verdict:
    """Return what *answer* means, given the enhanced code where there is one apart from it (RFC 3463), and the command
    that it answers (`mail`, `rcpt`, `data`) where that is known.

    Who answers "user unknown" to the whole message had taken the recipient before: it is a filter that hides. Who says
    so to MAIL speaks of the sender.
    """
    verdict = _by_rule(answer, status)
    meant = _MEANT.get((verdict.reason.name, stage))
    if meant is not None:
        return Verdict(REASONS[meant], f"{verdict.rule}, said to {stage.upper()}")
    return verdict


def _by_rule(answer: str, status: str) -> Verdict:
    text = re.sub(r"\s+", " ", answer[:LONGEST])
    for rule in _rules():
        if rule.text is not None and rule.text.search(text):
            return Verdict(rule.reason, rule.name)
        if any(status == code or status.startswith(f"{code}.") for code in rule.status):
            return Verdict(rule.reason, rule.name)
    return Verdict(REASONS["unknown"], "")


@cache
def _rules() -> tuple[_Rule, ...]:
    table = tomllib.loads(resources.files("angarium.feedback").joinpath("rules.toml").read_text("utf-8"))
    return tuple(
        _Rule(
            rule["name"],
            REASONS[rule["reason"]],
            re.compile("|".join(rule["text"]), re.IGNORECASE) if "text" in rule else None,
            tuple(rule.get("status", ())),
        )
        for rule in table["rule"]
    )
