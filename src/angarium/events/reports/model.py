"""A report: what is asked, and what is told."""

from datetime import UTC, tzinfo
from typing import NamedTuple

import msgspec

from angarium.events.port import Whose
from angarium.events.reports.periods import Per
from angarium.events.rollups.measures import Basis
from angarium.events.rollups.port import Dimension
from angarium.query.nodes import Everything, Node


class ReportQuery(NamedTuple):
    """Which mail (*node*, read with `fields.MAIL`, of *scope*), when (epoch seconds), and what is told apart: by the
    values of a dimension, *per* unit of time in *zone*, or both. *limit*: the so many largest, the others together.

    *tells_tracked*: also of how much mail opens and clicks are seen.

    *basis*: what happened then, or what has become of the mail that was accepted then.
    """

    since: float
    until: float
    by: Dimension | None = None
    per: Per | None = None
    zone: tzinfo = UTC
    basis: Basis = "event"
    node: Node = Everything()
    scope: Whose = Whose()
    limit: int | None = None
    tells_tracked: bool = False


class ReportRate(msgspec.Struct, frozen=True):
    """*count* of *of*, and what that is as a share; None where there is nothing that it could be a share of."""

    count: int
    of: int
    share: float | None


class Latency(msgspec.Struct, frozen=True):
    """Within how many seconds after its acceptance half of what was delivered had been, and so on; right within 5 %."""

    p50_s: float
    p95_s: float
    p99_s: float


class ReportRow(msgspec.Struct, frozen=True):
    """*at* and *until_at* are the bucket, *value* is that of the dimension; None where there is none, and all others
    where *is_others*. *is_unfinished*: the bucket is not over. Counts that are None are not measured.
    """

    at: float | None
    until_at: float | None
    value: str | None
    counts: dict[str, int | None]
    rates: dict[str, ReportRate]
    latency: Latency | None
    is_unfinished: bool = False
    is_others: bool = False


class MailReport(msgspec.Struct, frozen=True):
    """*since_at* and *until_at* are the period in whole units of counting. *total* is of all, also of what is in no
    row, or in several. *notes* are sentences on what the numbers do not have.
    """

    since_at: float
    until_at: float
    by: str | None
    per: str | None
    zone: str
    basis: str
    rows: list[ReportRow]
    total: ReportRow
    notes: list[str]


class TopReply(msgspec.Struct, frozen=True):
    """An answer without its numbers and names, one *sample* of it, and how often it came. *kind* is the event's."""

    kind: str
    reason: str
    pattern: str
    sample: str
    count: int
