"""The systems that are compared, each relaying everything to a sink on one port of 127.0.0.1."""

from pathlib import Path
from typing import Protocol

from angarium.testing.node import Node
from angarium.testing.peers import Postfix
from bench.load import Login

POSTFIX_SETTINGS = {
    # As many processes and connections as the load asks for; Postfix's defaults are 100, 20 and 5.
    "default_process_limit": "200",
    "default_destination_concurrency_limit": "100",
    "initial_destination_concurrency": "20",
    # No pause when mail comes in faster than it goes out (default: 1 s).
    "in_flow_delay": "0",
    # Connections to the sink are kept (the default keeps them only while it sees a high volume).
    "smtp_connection_cache_destinations": "[127.0.0.1]",
    # Nothing is looked up: no client names, no DNS for the next hop.
    "smtpd_peername_lookup": "no",
    "smtp_dns_support_level": "disabled",
    # No limits on the one client that injects.
    "smtpd_client_connection_count_limit": "0",
    "smtpd_client_message_rate_limit": "0",
}
"""What differs from Debian's defaults, in favour of Postfix. Its queue syncs every message, as ever."""

ANGARIUM_CONFIG = """\
Gateway = "127.0.0.1"
Remote_SMTP_Port = {sink_port}
Max_Outbound_Connections = 100
"""


class System(Protocol):
    """A mail relay under test: started when made, ready for mail."""

    name: str
    smtp_port: int
    root_pid: int
    login: Login | None

    def settings(self) -> dict[str, str]:
        """What it was configured with, for the report."""
        ...

    def stop(self) -> None:
        """End it and remove what it wrote."""
        ...


class PostfixSystem:
    """Debian's Postfix, logging to a file through its own postlogd."""

    name = "postfix"
    login: Login | None = None

    def __init__(self, sink_port: int, folder: Path) -> None:
        self._log = folder / "postfix.log"
        self._postfix = Postfix(
            transport=f"smtp:[127.0.0.1]:{sink_port}", settings=POSTFIX_SETTINGS, log_to=self._log
        )
        self.smtp_port = self._postfix.port
        self.root_pid = self._postfix.program.pid

    def settings(self) -> dict[str, str]:
        """The lines of main.cf that are not Debian's defaults."""
        return dict(POSTFIX_SETTINGS)

    def stop(self) -> None:
        """End it and remove its queue and log."""
        self._postfix.stop()
        self._log.unlink(missing_ok=True)


class AngariumSystem:
    """`angarium serve` with all its workers, journal, and its log in a file."""

    name = "angarium"
    login: Login | None = None

    def __init__(self, sink_port: int, folder: Path, workers: int = 2) -> None:
        self._config = ANGARIUM_CONFIG.format(sink_port=sink_port)
        self._log = folder / "angarium.log"
        self._node = Node(self._config, workers=workers, log_to=self._log)
        self._workers = workers
        self.smtp_port = self._node.smtp_port
        self.root_pid = self._node.program.pid

    def settings(self) -> dict[str, str]:
        """The configuration and the number of workers."""
        return {"angarium.conf": self._config, "workers": str(self._workers)}

    def stop(self) -> None:
        """End it and remove its data and log."""
        self._node.close()
        self._log.unlink(missing_ok=True)


SYSTEMS: dict[str, type[PostfixSystem | AngariumSystem]] = {
    "postfix": PostfixSystem,
    "angarium": AngariumSystem,
}
