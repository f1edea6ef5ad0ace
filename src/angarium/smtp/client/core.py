"""What a client machine knows, and what its shell reads of it."""

from typing import Literal

from angarium.smtp.client.events import (
    AWAITED,
    ClientEvent,
    ClientSettings,
    Trace,
    Transaction,
)
from angarium.smtp.client.opening import Opening
from angarium.smtp.client.run import Run
from angarium.smtp.client.writer import ClientWriter
from angarium.smtp.client.xclient import Told
from angarium.smtp.extensions import NO_EXTENSIONS, Extensions
from angarium.smtp.replies import ReplyParser

SessionStage = Literal["new", "ready", "quit", "closed"]
_WAITS = {"helo": "ehlo", "auth": "ehlo", "xclient": "ehlo", "starttls": "tls"}
"""Stages that are waited for as long as for another."""


class ClientCore:
    """The state of one session. Times are seconds on any clock that does not run backwards."""

    __slots__ = (
        "_count",
        "_dropped",
        "_events",
        "_held",
        "_introduced",
        "_is_clear",
        "_is_encrypted",
        "_needs_reset",
        "_next",
        "_opening",
        "_parser",
        "_run",
        "_settings",
        "_since",
        "_stage",
        "_told",
        "_writer",
        "extensions",
    )

    def __init__(self, settings: ClientSettings, trace: Trace | None = None) -> None:
        self.extensions: Extensions = NO_EXTENSIONS
        self._settings = settings
        self._writer = ClientWriter(trace)
        self._parser = ReplyParser()
        self._events: list[ClientEvent] = []
        self._opening: Opening | None = None
        self._stage: SessionStage = "new"
        self._since = 0.0
        self._run: Run | None = None
        self._next: Run | None = None
        self._held: Transaction | None = None
        self._introduced: Transaction | None = None
        self._told = Told()
        self._is_encrypted = False
        self._is_clear = False
        self._dropped: frozenset[str] = frozenset()
        self._needs_reset = False
        self._count = 0

    # What the shell reads

    def take_output(self) -> list[bytes]:
        """Return the buffers to be written, in order, and forget them."""
        return self._writer.take()

    def take_events(self) -> list[ClientEvent]:
        """Return what has happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    @property
    def stage(self) -> str:
        """What is waited for: a stage of the session or, in a transaction, of that."""
        part = self._run or self._opening
        return self._stage if part is None else part.stage

    @property
    def is_ready(self) -> bool:
        """Whether `deliver` may be called, with no transaction under way."""
        return self._stage == "ready" and self._run is None and self._opening is None

    @property
    def is_message_sent(self) -> bool:
        """Whether the peer has a whole message whose answer is outstanding: breaking off now would be ambiguous."""
        return self._run is not None and self._run.is_sent

    @property
    def trace(self) -> Trace | None:
        """Who is told each line of the dialog; may be set at any time."""
        return self._writer.trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._writer.trace = trace

    @property
    def can_prefetch(self) -> bool:
        """Whether `deliver` may be called although the answer to the last message is outstanding.

        Its envelope then rides behind the final dot (RFC 2920 §3.1).
        """
        run = self._run
        return (
            run is not None
            and self._settings.use_prefetch
            and self._settings.xclient == "no"
            and self._is_pipelined
            and run.is_sent
            and run.stage == "final"
            and not run.dead
            and self._next is None
            and self._has_mails_left
        )

    @property
    def deadline(self) -> float | None:
        """When to call `timed_out`, on the clock of the *now* arguments; None while nothing is awaited."""
        wait_s = self.wait_s
        return None if wait_s is None else self._since + wait_s

    @property
    def wait_s(self) -> float | None:
        """How long the present stage may take, in seconds, from its last progress on."""
        run = self._run
        stage = "rset" if run is not None and run.is_resetting else self.stage
        name = _WAITS.get(stage, stage)
        wait_s: float | None = getattr(self._settings.timeouts, f"{name}_s", None)
        return wait_s

    @property
    def _is_pipelined(self) -> bool:
        return self._settings.use_pipelining and self.extensions.pipelining

    @property
    def _has_mails_left(self) -> bool:
        most = self.extensions.mail_max
        return most is None or self._count < most

    @property
    def _awaited(self) -> str:
        return self._run.awaited if self._run is not None else AWAITED[self.stage]
