"""The sending side from the banner to a session that is ready for mail (RFC 5321 §3.1, §3.2; LHLO: RFC 2033).

    banner ─► ehlo ─► open
                └──► helo ─► open          when EHLO is refused with 5xx

STARTTLS and AUTH will be further rows of `_ON_REPLY`, entered from `_on_ehlo`.
"""

from collections.abc import Callable
from typing import Literal

from angarium.core.records import Stage
from angarium.core.reply import Reply
from angarium.smtp.client_events import AWAITED, ClientSettings
from angarium.smtp.client_writer import ClientWriter
from angarium.smtp.extensions import NO_EXTENSIONS, parse_extensions
from angarium.smtp.replies import shorten

OpeningStage = Literal["banner", "ehlo", "helo"]
_GREETING = {"ESMTP": "EHLO", "SMTP": "HELO", "LMTP": "LHLO"}


class Opening:
    """How far a session has come on its way to being ready.

    *is_open*: it is ready, and *extensions* says what the peer offers. *refusal*: the peer does not want us.
    Neither: go on. *timings* are those of `Ready` and `NotReady`.
    """

    __slots__ = ("_settings", "_since", "_writer", "extensions", "is_open", "refusal", "stage", "timings")

    def __init__(self, settings: ClientSettings, writer: ClientWriter, now: float) -> None:
        self.stage: OpeningStage = "banner"
        self.extensions = NO_EXTENSIONS
        self.is_open = False
        self.refusal: Reply | None = None
        self.timings: list[tuple[Stage, float]] = []
        self._settings = settings
        self._writer = writer
        self._since = now

    @property
    def reported_stage(self) -> Stage:
        """The stage as records name it: HELO is part of *ehlo*."""
        return "banner" if self.stage == "banner" else "ehlo"

    def reply(self, reply: Reply, now: float) -> None:
        """Take the peer's next answer."""
        self.note_time(now)
        if 300 <= reply.code < 400:
            text = f"[internal] unexpected reply while waiting for {AWAITED[self.stage]}: {reply}"
            self.refusal = shorten(Reply(421, "4.5.0", text))
        else:
            _ON_REPLY[self.stage](self, reply)

    def note_time(self, now: float) -> None:
        """Count the time since the last progress to the present stage."""
        self.timings.append((self.reported_stage, (now - self._since) * 1000))
        self._since = now

    def _on_banner(self, reply: Reply) -> None:
        if reply.code >= 400:
            self._refused(reply)
        else:
            self._greet(_GREETING[self._settings.method])

    def _on_ehlo(self, reply: Reply) -> None:
        if reply.code < 300:
            self.extensions = parse_extensions(reply)
            self.is_open = True
        elif reply.code >= 500 and self._settings.method == "ESMTP":
            self._greet("HELO")
        else:
            self._refused(reply)

    def _on_helo(self, reply: Reply) -> None:
        if reply.code < 300:
            self.is_open = True
        else:
            self._refused(reply)

    def _greet(self, verb: str) -> None:
        self._writer.say(f"{verb} {self._settings.ehlo_name}\r\n")
        self.stage = "helo" if verb == "HELO" else "ehlo"

    def _refused(self, reply: Reply) -> None:
        """The peer said no: say goodbye, unless it has hung up already with 421."""
        if reply.code != 421:
            self._writer.say("QUIT\r\n")
        self.refusal = shorten(reply)


_ON_REPLY: dict[str, Callable[[Opening, Reply], None]] = {
    "banner": Opening._on_banner,
    "ehlo": Opening._on_ehlo,
    "helo": Opening._on_helo,
}
