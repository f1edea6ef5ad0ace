"""What vendors call a bounce, a complaint and the like: Momentum and SparkPost by numbers, Postmark by types, SMTPeter
by events. The tables are `vendors.toml`.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from angarium.feedback.reasons import CLASSES, REASONS, BounceClass


class PostmarkType(NamedTuple):
    """A type of Postmark's. *deactivates*: the address gets no more."""

    name: str
    code: int
    title: str
    deactivates: bool


def bounce_class(happening: str, reason: str) -> BounceClass | None:
    """Return Momentum's class, which is SparkPost's as well, of what happened (`events.catalogue`) for a *reason*
    (`reasons.REASONS`, empty: none); None for what has none: a delivery.
    """
    number = _tables()["momentum"]["happenings"].get(happening)
    if number is None and reason in REASONS:
        number = REASONS[reason].number
    return CLASSES[number] if number is not None else None


def postmark_type(happening: str, reason: str) -> PostmarkType | None:
    """Return Postmark's type of what happened for a *reason*, None where it has none."""
    tables = _tables()["postmark"]
    name = tables["happenings"].get(happening) or tables["reasons"].get(reason)
    return postmark_types()[name] if name is not None else None


def smtpeter_events(happening: str) -> tuple[str, ...]:
    """Return the events of SMTPeter that tell of it, none where it has none."""
    return tuple(_tables()["smtpeter"]["happenings"].get(happening, ()))


def smtpeter_state(stage: str) -> str:
    """Return what SMTPeter calls the stage that an attempt had reached (`core.records.Stage`)."""
    return str(_tables()["smtpeter"]["states"].get(stage, "unknown"))


@cache
def postmark_types() -> dict[str, PostmarkType]:
    """Return all types of Postmark's, by name."""
    return {name: PostmarkType(name, *row) for name, row in _tables()["postmark"]["types"].items()}


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(resources.files("angarium.feedback").joinpath("vendors.toml").read_text("utf-8"))
