"""The scripted sink: a peer that takes mail and behaves as a script says."""

from angarium.testing.sink.sink import Sink, SinkCounters, run_sink

__all__ = ["Sink", "SinkCounters", "run_sink"]
