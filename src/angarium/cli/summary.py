"""What a node says of itself once it is ready, in a few lines. Pure."""

import textwrap
from pathlib import Path
from typing import NamedTuple

from angarium import __version__
from angarium.cli.identity.examples import Endpoints
from angarium.config.source import CATCH_DOMAIN


class Summary(NamedTuple):
    """*login* is a user name, empty: there is none; *config* None: built in; *caught* the folder of caught mail, if
    there is one; *program* how this command is called; *link* logs in to the pages once, empty: there is none.
    """

    where: Endpoints
    login: str
    data: Path
    config: Path | None
    caught: Path | None
    catches_all: bool
    program: str = "angarium"
    link: str = ""

    @property
    def title(self) -> str:
        """What stands above."""
        return f"Angarium {__version__} is ready"

    def lines(self) -> list[tuple[str, str]]:
        """Return what is told of each, by its name."""
        config = f"configuration {self.config}" if self.config is not None else "no configuration file"
        return [
            ("SMTP", self._smtp()),
            ("HTTP", self._http()),
            ("Login", self._password()),
            ("Data", f"{self.data}, {config}"),
            ("Try", self._try()),
            *([("Look", f"{self.link} (once, within 15 minutes)")] if self.link else ()),
        ]

    def _smtp(self) -> str:
        smtp = self.where.smtp
        if smtp is None:
            return "no TCP port where programs may log in"
        tls = "STARTTLS" if smtp.tls == "starttls" else "TLS from the first byte"
        out = "; no mail leaves this machine" if self.catches_all else ""
        return f"{smtp.host} port {smtp.port}, {tls}{out}"

    def _http(self) -> str:
        manage = self.where.manage
        if manage is None:
            return "not served by TCP"
        return f"{manage.removesuffix('/manage/v1')}/metrics, manage API under /manage/v1"

    def _password(self) -> str:
        if self.login:
            return f"{self.login}, password shown once"
        return f"none yet: {self.program} logins create NAME"

    def _try(self) -> str:
        if self.caught is None:
            return f"{self.program} try --to YOUR@ADDRESS"
        return f"{self.program} try; {CATCH_DOMAIN} stays in {self.caught}"


def framed(title: str, lines: list[tuple[str, str]], width: int) -> str:
    """Return *lines* in a frame under *title*. Where the terminal is not *width* enough, texts go on in a second line;
    a word is never broken, so that it can be copied.
    """
    name_width = max(len(name) for name, _ in lines) + 2
    rows: list[str] = []
    for name, text in lines:
        room = max(20, width - name_width - 4)
        parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        rows += [f"{name if number == 0 else '':{name_width}}{part}" for number, part in enumerate(parts)]
    inner = max(len(title) + 2, *(len(row) for row in rows))
    top = f"╭─ {title} {'─' * (inner - len(title) - 1)}╮"
    return "\n".join(["", top, *(f"│ {row:{inner}} │" for row in rows), f"╰{'─' * (inner + 2)}╯"])
