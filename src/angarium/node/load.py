"""How much a worker holds, and whether it takes mail with it."""

from angarium.core.clock import Clock
from angarium.core.metrics import Counters
from angarium.engine.engine import Engine
from angarium.node.memory import ProcessMemory
from angarium.submission.intake.admission import Load, refusal
from angarium.submission.intake.intake import Intake
from angarium.submission.replies import reply_to
from angarium.submission.session.reception import Reception

_RECORD_BYTES = 2048
"""About what a recipient in memory takes, with its share of its message; and an outcome that waits for the disk."""


class LoadWatch:
    """Says to the intake of one of so many *workers* whether it takes mail."""

    def __init__(
        self,
        engine: Engine,
        intake: Intake,
        reception: Reception,
        workers: int,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._engine = engine
        self._intake = intake
        self._reception = reception
        self._workers = workers
        self._clock = clock
        self._counters = counters
        self._memory = ProcessMemory()

    def admit(self) -> str:
        """Decide whether mail is taken from now on; return why not. Called each second."""
        refuses = self._intake.refuses = refusal(self._engine.spool.status(), self._load())
        return "" if refuses is None else str(reply_to(refuses))

    def _load(self) -> Load:
        options = self._engine.view.config.globals
        held = self._held_bytes()
        resident = self._memory.resident_bytes(options.memory_limit, self._clock.now())
        self._counters.set("memory_held_bytes", held)
        self._counters.set("memory_resident_bytes", resident)
        return Load(
            self._engine.spool.status().settled_recipients + self._engine.scheduler.census.resident,
            options.max_queued_recipients // self._workers,
            held,
            resident,
            options.memory_limit,
        )

    def _held_bytes(self) -> int:
        """Return about what is in memory for mail and connections."""
        status, sent = self._engine.spool.status(), self._engine.way_out.held_bytes
        records = self._engine.scheduler.census.resident + status.backlog
        return status.resident_bodies_bytes + self._reception.held_bytes + sent + records * _RECORD_BYTES
