"""The engine of one worker: mail enters, is written down, handed out, and ended."""

from dataclasses import dataclass

from angarium.config.model import Config
from angarium.core.records import Recipient
from angarium.engine.drain import Drain
from angarium.engine.enter import Acceptance
from angarium.engine.facts import FactWriter
from angarium.engine.live import LiveScheduler
from angarium.engine.operate import Operator
from angarium.engine.readers import ReaderFacts
from angarium.engine.resolve import WayFinder
from angarium.engine.sweep import Sweeper
from angarium.engine.to_us import MailToUs
from angarium.engine.trace import TraceHub
from angarium.engine.view import ConfigView
from angarium.engine.way_out import WayOut
from angarium.spool.port import RecoveryReport, Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The parts that others deal with, as `node.assemble` has put them together."""

    view: ConfigView
    spool: Spool
    scheduler: LiveScheduler
    acceptance: Acceptance
    way_finder: WayFinder
    way_out: WayOut
    traces: TraceHub
    operator: Operator
    sweeper: Sweeper
    facts: FactWriter
    to_us: MailToUs
    readers: ReaderFacts
    drain: Drain

    def recover(self) -> tuple[RecoveryReport, list[Recipient]]:
        """Read what the last run left; called once, first. Returns the recipients to `Acceptance.add` in the end.

        Blocks. Raises SpoolError.
        """
        report, recipients = self.spool.recover()
        for flow, summary in self.spool.flows().items():
            self.scheduler.flow_changed(flow, summary)
        return report, recipients

    def reconfigure(self, config: Config) -> None:
        """Obey a new generation of the configuration from now on, and ask the DNS anew."""
        self.view.follow(config)
        self.scheduler.reconfigure(config)
        self.way_finder.reconfigure()
