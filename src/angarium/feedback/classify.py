"""What an answer means: the reason, and the rule that found it. Answers of peers and returned mail are judged alike."""

import re
import tomllib
from functools import cache
from importlib import resources
from itertools import islice
from typing import NamedTuple

from angarium.core.providers import OTHER, provider_of
from angarium.feedback.reasons import REASONS, BounceReason

LONGEST = 2_000
"""Characters of an answer that are looked at."""

_TRANSIENT = re.compile(r"\s*4\d\d\b")
_QUOTED = re.compile(
    r"(?i)\b[45]\.\d\.\d - [\w ]{5,60} (?=[245]\d\d[- ]')|invalid address, error_code ?:\d+, error_code ?:"
)
"""What programs say before they quote an answer, whatever that is: IronPort `5.1.0 - Unknown address error 550-'…'`,
Zoho `Invalid Address, ERROR_CODE :550, ERROR_CODE :…`.
"""
_NAMED = re.compile(r"(?i)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,10}")
_MOST_NAMES = 50

_MEANT = {
    ("no_such_recipient", "mail"): "sender_refused",
    ("no_such_host", "mail"): "sender_refused",
    ("no_such_recipient", "data"): "refused_by_recipient",
}


class Verdict(NamedTuple):
    """Why, and the name of the rule that says so: empty where none does. *is_transient*: by the answer's own code it
    may pass, whatever its words are.
    """

    reason: BounceReason
    rule: str
    is_transient: bool = False

    @property
    def is_hard(self) -> bool:
        """Whether the address will not do, now or later, whoever sends what."""
        return self.reason.is_permanent and not self.is_transient


class _Rule(NamedTuple):
    name: str
    reason: BounceReason
    text: "re.Pattern[str] | None"
    status: tuple[str, ...]
    providers: frozenset[str]
    stages: frozenset[str]


def classify(answer: str, status: str = "", stage: str = "", provider: str = OTHER) -> Verdict:
    """Return what *answer* means, given the enhanced code where there is one apart from it (RFC 3463), the command
    that it answers (`mail`, `rcpt`, `data`) and whose host gave it (`core.providers`), as far as they are known.

    Who answers "user unknown" to the whole message had taken the recipient before: it is a filter that hides. Who says
    so to MAIL speaks of the sender. Where the command is not known, the code of a mailbox that is there is believed
    (X.2.x, RFC 3463 §3.3).
    """
    verdict = _meant(_by_rule(answer, status, stage, provider), status, stage)
    return verdict._replace(is_transient=status.startswith("4") or _TRANSIENT.match(answer) is not None)


def _meant(verdict: Verdict, status: str, stage: str) -> Verdict:
    """Return what a verdict means, given the command that was answered."""
    meant = _MEANT.get((verdict.reason.name, stage))
    if meant is not None:
        return Verdict(REASONS[meant], f"{verdict.rule}, said to {stage.upper()}")
    if verdict.reason.name == "no_such_recipient" and not stage and status[1:].startswith(".2."):
        return Verdict(
            REASONS["refused_by_recipient"], f"{verdict.rule}, by the code of a mailbox that is there"
        )
    return verdict


def _by_rule(answer: str, status: str, stage: str, provider: str) -> Verdict:
    text = _QUOTED.sub("", re.sub(r"\s+", " ", answer[:LONGEST]))
    providers = _providers(text, provider)
    for rule in _rules():
        if rule.stages and stage not in rule.stages:
            continue
        if rule.providers and rule.providers.isdisjoint(providers):
            continue
        if rule.text is not None and rule.text.search(text):
            return Verdict(rule.reason, rule.name)
        if any(status == code or status.startswith(f"{code}.") for code in rule.status):
            return Verdict(rule.reason, rule.name)
    return Verdict(REASONS["unknown"], "")


def _providers(text: str, provider: str) -> set[str]:
    """Return whose hosts are spoken of."""
    named = islice((found[0] for found in _NAMED.finditer(text)), _MOST_NAMES)
    return {provider, *(provider_of(name) for name in named)} - {OTHER}


@cache
def _rules() -> tuple[_Rule, ...]:
    table = tomllib.loads(resources.files("angarium.feedback").joinpath("rules.toml").read_text("utf-8"))
    return tuple(
        _Rule(
            rule["name"],
            REASONS[rule["reason"]],
            re.compile("|".join(rule["text"]), re.IGNORECASE) if "text" in rule else None,
            tuple(rule.get("status", ())),
            frozenset(rule.get("providers", ())),
            frozenset(rule.get("stage", ())),
        )
        for rule in table["rule"]
    )
