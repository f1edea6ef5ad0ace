"""A public collection of real mails with verdicts of others, where it is there: how many are understood, and which not.

As a program it prints the confusion matrix, and with `--wrong` each that is judged otherwise.
"""

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from angarium.feedback.classify import classify
from angarium.feedback.reading import Feedback, read_feedback

COLLECTION = Path(__file__).parents[3] / "shared/data/bounces"
"""Mails of others, where they are there; see its README."""

OURS = {
    "authfailure": "authentication", "badreputation": "reputation", "blocked": "blocked", "contenterror": "content",
    "exceedlimit": "too_large", "expired": "expired", "filtered": "refused_by_recipient", "hasmoved": "moved",
    "hostunknown": "no_such_host", "mailboxfull": "mailbox_full", "mailererror": "system", "mesgtoobig": "too_large",
    "networkerror": "network", "norelaying": "relaying_denied", "notaccept": "takes_no_mail",
    "notcompliantrfc": "content", "onhold": "unknown", "policyviolation": "policy", "rejected": "sender_refused",
    "requireptr": "reverse_dns", "securityerror": "security", "spamdetected": "spam", "suspend": "mailbox_disabled",
    "syntaxerror": "system", "systemerror": "system", "toomanyconn": "rate", "undefined": "unknown",
    "userunknown": "no_such_recipient", "virusdetected": "virus",
}  # fmt: skip
"""The collection's names for reasons, in ours."""


class Judged(NamedTuple):
    """What others say of one recipient of one mail, and what we do."""

    mail: str
    wanted: str
    found: str
    wanted_hard: bool
    found_hard: bool
    reply: str


def judged() -> list[Judged]:
    rows = defaultdict(list)
    with (COLLECTION / "expected.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows[row["mail"]].append(row)
    return [each for name, expected in sorted(rows.items()) for each in of_mail(name, expected)]


def of_mail(name: str, expected: list[dict[str, str]]) -> Iterator[Judged]:
    feedback = read_feedback((COLLECTION / "mail" / name).read_bytes())
    for place, row in enumerate(expected):
        found, is_hard, reply = verdict_of(feedback, place)
        wanted = OURS.get(row["reason"], row["reason"])
        yield Judged(name, wanted, found, row["hard_bounce"] == "true", is_hard, reply)


def verdict_of(feedback: Feedback, place: int) -> tuple[str, bool, str]:
    """The reason in our words, whether the address will not do any more, and what was read."""
    if feedback.kind != "bounce":
        return {"complaint": "feedback", "auto_reply": "vacation", "other": "?"}[feedback.kind], False, ""
    if place >= len(feedback.recipients):
        return "?", False, ""
    each = feedback.recipients[place]
    if each.action in ("delivered", "relayed", "expanded"):
        return "delivered", False, ""
    verdict = classify(each.reply, each.status, each.stage)
    return verdict.reason.name, verdict.is_hard and each.action == "failed", each.reply


def shares(all_of_them: list[Judged]) -> tuple[float, float]:
    """The shares that are rightly told apart into hard or not, and whose reason is the same."""
    hard = sum(each.wanted_hard == each.found_hard for each in all_of_them)
    reasons = sum(each.wanted == each.found for each in all_of_them)
    return hard / len(all_of_them), reasons / len(all_of_them)


def matrix(all_of_them: list[Judged]) -> Iterator[str]:
    """Lines of the confusion matrix: each reason of theirs with what we say, the right ones first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in all_of_them:
        counts[each.wanted][each.found] += 1
    for wanted, found in sorted(counts.items()):
        others = ", ".join(f"{name} {count}" for name, count in found.most_common() if name != wanted)
        yield f"{wanted:22} {found[wanted]:4} of {found.total():<4} {others}".rstrip()


@pytest.mark.skipif(not COLLECTION.is_dir(), reason="the collection of others' mails is not there")
def test_a_collection_of_real_mails_is_understood() -> None:
    hard, reasons = shares(judged())
    assert hard >= 0.95
    assert reasons >= 0.89


def main() -> None:
    all_of_them = judged()
    hard, reasons = shares(all_of_them)
    print(*matrix(all_of_them), sep="\n")
    print(f"{len(all_of_them)} recipients: hard or not {hard:.1%} right, reason {reasons:.1%} the same")
    for each in all_of_them if "--wrong" in sys.argv else ():
        if each.wanted != each.found or each.wanted_hard != each.found_hard:
            mark = (
                "" if each.wanted_hard == each.found_hard else "  HARD" if each.found_hard else "  NOT HARD"
            )
            print(f"{each.mail}: {each.wanted}, here {each.found}{mark}\n    {each.reply[:300]}")


if __name__ == "__main__":
    main()
