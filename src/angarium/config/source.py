"""What a node's configuration is made of: a file, or what is built in; and what its command line says instead."""

from dataclasses import dataclass, replace
from pathlib import Path

from angarium.config.listeners import DEFAULT_HTTP_LISTEN, DEFAULT_LISTEN
from angarium.config.load import Instead, load_config
from angarium.config.model import Config
from angarium.config.stanza_names import listen_address

SMTP_PORT, HTTP_PORT = (listen_address(text).port for text in (DEFAULT_LISTEN, DEFAULT_HTTP_LISTEN))
MOST_STEPS = 50
"""So many ports are tried one after the other where the usual one is taken."""
CATCH_DOMAIN = "catch.test"
"""Mail to it stays on this machine (RFC 6761 §6.2: no such domain is on the Internet)."""
CATCH_FOLDER = "caught"
"""Where it is kept: a maildir in the data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSource:
    """*path* is the file; None: what is built in, which is light and for this machine alone.

    *listen* and *http* are sockets instead of those that it names. *smtp_port* and *http_port* are those of what is
    built in, where nobody says others. *catcher* takes what is for CATCH_DOMAIN, with *catches_all* all mail; only what
    is built in has one.
    """

    path: Path | None = None
    listen: tuple[str, ...] = ()
    http: tuple[str, ...] = ()
    smtp_port: int = SMTP_PORT
    http_port: int = HTTP_PORT
    catcher: str = ""
    catches_all: bool = False

    def load(self, generation: int = 1) -> Config:
        """Read it. Raises ConfigErrors."""
        instead = Instead(self.listen, self.http)
        return load_config(self.path, generation=generation, instead=instead, built_in=self.built_in())

    def beside(self, port: int) -> "ConfigSource | None":
        """Return one that leaves *port*, which is taken, to its owner; None where somebody has asked for it."""
        if self.path is not None:
            return None
        if not self.listen and port == self.smtp_port < SMTP_PORT + MOST_STEPS:
            return replace(self, smtp_port=port + 1)
        if not self.http and port == self.http_port < HTTP_PORT + MOST_STEPS:
            return replace(self, http_port=port + 1)
        return None

    def built_in(self) -> str:
        """Return what is built in, as it might stand in a file."""
        lines = [
            "Workers = 1",
            "Spool_Segment_Size = 4194304",
            f'ESMTP_Listener "default" {{ Listen "127.0.0.1:{self.smtp_port}" {{ }} }}',
            f'HTTP_Listener "default" {{ Listen "127.0.0.1:{self.http_port}" {{ }} }}',
        ]
        if self.catcher:  # by a route: it is found anew at each try, and the next catcher has another port
            lines.append(f'Domain "{CATCH_DOMAIN}" {{ Routes = ( "{self.catcher}" ) }}')
        if self.catcher and self.catches_all:
            lines.append(f'Gateway = "{CATCH_DOMAIN}"')
        return "".join(f"{line}\n" for line in lines)
