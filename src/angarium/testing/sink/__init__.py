"""The scripted sink: a peer that takes mail and behaves as a script says."""

from angarium.testing.sink.conduct import SinkCounters
from angarium.testing.sink.sink import Sink, run_sink

__all__ = ["Sink", "SinkCounters", "run_sink"]
