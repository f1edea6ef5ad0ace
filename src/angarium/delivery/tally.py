"""What is counted of attempts: how they ended by provider and binding, and how long peers took over each stage."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import Final, get_args

from angarium.config.model import Config
from angarium.core.metrics import Counters, Histogram
from angarium.core.operations import Stat
from angarium.core.providers import OTHER, PROVIDERS, provider_of
from angarium.core.records import Stage
from angarium.engine.view import ConfigView
from angarium.queue.commands import Result, Verdict
from angarium.smtp.client.events import Timings

MOST_BINDINGS: Final = 50
"""So many bindings are counted by name: the first of the configuration. The others are one."""

ALL_OF_FIRST: Final = 1000
ONE_IN: Final = 8
"""So many transactions of a worker are timed, of later ones a sample: on the way of every message it costs too much."""


def binding_labels(config: Config) -> dict[str, str]:
    """Return what numbers call the bindings of *config* that they are kept of by name."""
    return {name: name for name in islice(config.bindings, MOST_BINDINGS)}


def binding_zeros(config: Config) -> list[Stat]:
    """Return the attempts of each of those bindings before there was any."""
    verdicts = get_args(Verdict)
    return [
        ("binding_attempts_total", [name, verdict], 0)
        for name in binding_labels(config)
        for verdict in verdicts
    ]


class Tally:
    """Counts the attempts of one worker."""

    def __init__(self, view: ConfigView, counters: Counters) -> None:
        self._view = view
        self._config: Config | None = None
        self._labels: dict[str, str] = {}
        self._numbers = counters.values
        self._transactions_seen = 0
        self._stages: dict[Stage, Histogram] = {
            stage: counters.histogram("attempt_stage_seconds", stage) for stage in get_args(Stage)
        }
        self._bounds = self._stages["connect"].bounds
        self._transactions = {
            provider: counters.histogram("transaction_seconds", provider) for provider in (*PROVIDERS, OTHER)
        }

    def ended(self, results: Sequence[Result]) -> None:
        """Count what became of recipients that were handed to one connection."""
        numbers, config = self._numbers, self._view.config
        if config is not self._config:
            self._config, self._labels = config, binding_labels(config)
        labels = self._labels
        for result in results:
            verdict = result.verdict
            numbers["attempts_total", provider_of(result.attempt.host), verdict] += 1
            numbers["binding_attempts_total", labels.get(result.recipient.binding, OTHER), verdict] += 1

    def transaction(self, host: str, timings: Timings) -> None:
        """Count how long the peer took over a transaction, each stage and all of them; of many, some."""
        self._transactions_seen += 1
        if self._transactions_seen > ALL_OF_FIRST and self._transactions_seen % ONE_IN:
            return
        self._transactions[provider_of(host)].observe(self.stages(timings))

    def stages(self, timings: Timings) -> float:
        """Count how long the peer took over each of these stages; return the sum in seconds. One that was answered
        together with the stage before it was not waited for.
        """
        stages, bounds, total = self._stages, self._bounds, 0.0
        for stage, spent_ms in timings:
            if not spent_ms:
                continue
            spent_s = spent_ms / 1000
            total += spent_s
            # as Histogram.observe does, but without a call for each: there are several a message
            histogram = stages[stage]
            histogram.counts[bisect_left(bounds, spent_s)] += 1
            histogram.sum += spent_s
        return total
