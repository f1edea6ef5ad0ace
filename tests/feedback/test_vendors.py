"""What vendors call what we call by reasons."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest

from angarium.core.records import Stage
from angarium.events.catalogue import KINDS
from angarium.feedback.reasons import CLASSES, REASONS
from angarium.feedback.vendors import bounce_class, postmark_type, smtpeter_events, smtpeter_state

TABLES = tomllib.loads(resources.files("angarium.feedback").joinpath("vendors.toml").read_text("utf-8"))


def test_every_reason_has_a_type_of_postmark_and_a_class() -> None:
    assert TABLES["postmark"]["reasons"].keys() == REASONS.keys()
    for reason in REASONS.values():
        assert postmark_type("bounced", reason.name) is not None
        assert bounce_class("bounced", reason.name) is reason.bounce_class


def test_the_tables_name_nothing_that_is_not_there() -> None:
    types = TABLES["postmark"]["types"]
    assert {
        *TABLES["postmark"]["reasons"].values(),
        *TABLES["postmark"]["happenings"].values(),
    } <= types.keys()
    for vendor in ("postmark", "momentum", "smtpeter"):
        assert TABLES[vendor]["happenings"].keys() <= KINDS.keys()
    assert set(TABLES["momentum"]["happenings"].values()) <= CLASSES.keys()
    assert TABLES["smtpeter"]["states"].keys() == set(get_args(Stage))
    assert len({row[0] for row in types.values()}) == len(types) == 22


@pytest.mark.parametrize(
    ("happening", "reason", "postmark", "number"),
    [
        ("bounced", "no_such_recipient", "HardBounce", 10),
        ("late_bounce", "no_such_host", "HardBounce", 21),
        ("bounced", "mailbox_full", "SoftBounce", 22),
        ("bounced", "spam", "SpamNotification", 52),
        ("bounced", "authentication", "DMARCPolicy", 50),
        ("bounced", "virus", "VirusNotification", 53),
        ("bounced", "blocked", "Blocked", 50),
        ("delayed", "mailbox_full", "Transient", 70),
        ("expired", "network", "Transient", 24),
        ("complaint", "", "SpamComplaint", None),
        ("unsubscribe", "", "Unsubscribe", 90),
        ("auto_reply", "", "AutoResponder", 60),
        ("delivered", "", None, None),
    ],
)
def test_one_thing_has_one_name_with_each(
    happening: str, reason: str, postmark: str | None, number: int | None
) -> None:
    type_, class_ = postmark_type(happening, reason), bounce_class(happening, reason)
    assert (type_ and type_.name, class_ and class_.number) == (postmark, number)


def test_what_deactivates_with_postmark_is_what_suppresses_here() -> None:
    for reason in REASONS.values():
        found = postmark_type("bounced", reason.name)
        assert found is not None
        assert found.deactivates == reason.is_permanent


def test_smtpeter_tells_a_returned_mail_as_a_failure_and_a_bounce() -> None:
    assert smtpeter_events("bounced") == ("failure",)
    assert smtpeter_events("late_bounce") == ("failure", "bounce")
    assert (smtpeter_events("auto_reply"), smtpeter_events("open")) == (("response", "bounce"), ())
    assert (smtpeter_state("rcpt"), smtpeter_state("final"), smtpeter_state("")) == (
        "rcptto",
        "message",
        "unknown",
    )


def test_the_page_has_every_reason_with_its_names() -> None:
    page = (Path(__file__).parents[2] / "docs/bounces.md").read_text()
    for reason in REASONS.values():
        found, postmark = reason.bounce_class, postmark_type("bounced", reason.name)
        assert postmark is not None
        named = f"{found.number} {found.name} | {postmark.name}"
        judged = f"{reason.fault} | {'yes' if reason.is_permanent else ''} |"
        assert f"| `{reason.name}` {reason.about} | {named} | {judged}" in page
