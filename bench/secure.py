"""The systems once more, with encryption and logins: STARTTLS and AUTH in, STARTTLS out, on both.

Postfix asks Dovecot for the login, as Debian's documentation sets it up; what Dovecot spends on that is not counted.
It keeps TLS connections to the sink (`smtp_tls_connection_reuse`), as Angarium does.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from angarium.testing.dovecot_auth import DovecotAuth
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import Postfix
from angarium.testing.programs import run
from bench.load import Login
from bench.systems import ANGARIUM_CONFIG, POSTFIX_SETTINGS

_LOGIN = Login("bench", "a-password-of-some-length")

SECURE_POSTFIX_SETTINGS = {
    **POSTFIX_SETTINGS,
    "smtpd_tls_security_level": "may",
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sasl_type": "dovecot",
    "smtpd_tls_auth_only": "yes",
    "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    "smtp_tls_security_level": "encrypt",
    "smtp_tls_connection_reuse": "yes",
}
"""What is added; certificate and socket of the login daemon come from the run."""


class SecurePostfix:
    """Debian's Postfix with TLS on both sides and Dovecot for the logins."""

    name = "postfix"
    login: Login | None = _LOGIN

    def __init__(self, sink_port: int, folder: Path, certificate: Path) -> None:
        self._log = folder / "postfix-secure.log"
        self._auth = DovecotAuth(*_LOGIN)
        self._settings: Mapping[str, str] = {
            **SECURE_POSTFIX_SETTINGS,
            "smtpd_tls_chain_files": str(certificate),
            "smtpd_sasl_path": str(self._auth.socket),
        }
        self._postfix = Postfix(
            transport=f"smtp:[127.0.0.1]:{sink_port}", settings=self._settings, log_to=self._log
        )
        self.smtp_port = self._postfix.port
        self.root_pid = self._postfix.program.pid

    def settings(self) -> dict[str, str]:
        """The lines of main.cf that are not Debian's defaults."""
        return dict(self._settings)

    def stop(self) -> None:
        """End it and remove its queue and log."""
        self._postfix.stop()
        self._auth.stop()
        self._log.unlink(missing_ok=True)


class SecureAngarium:
    """`angarium serve` with its default certificate, where one must log in, and encryption out is required."""

    name = "angarium"

    def __init__(self, sink_port: int, folder: Path, certificate: Path, workers: int = 2) -> None:
        self._config = ANGARIUM_CONFIG.format(sink_port=sink_port)
        self._config += f'Require_Authentication = true\nTLS = required\nTLS_CA = "{certificate}"\n'
        self._log = folder / "angarium-secure.log"
        self._folder = Path(tempfile.mkdtemp(prefix="angarium-bench-", dir=folder))
        made = json.loads(run([ANGARIUM, "init", "--data", self._folder / "data", "--json"]))
        self.login: Login | None = Login(made["login"]["username"], made["login"]["secret"])
        self._node = Node(self._config, workers=workers, log_to=self._log, folder=self._folder)
        self._workers = workers
        self.smtp_port = self._node.smtp_port
        self.root_pid = self._node.program.pid

    def settings(self) -> dict[str, str]:
        """The configuration and the number of workers."""
        return {"angarium.conf": self._config, "workers": str(self._workers)}

    def stop(self) -> None:
        """End it and remove its data and log."""
        self._node.close()
        shutil.rmtree(self._folder)
        self._log.unlink(missing_ok=True)


SECURE_SYSTEMS: dict[str, type[SecurePostfix | SecureAngarium]] = {
    "postfix": SecurePostfix,
    "angarium": SecureAngarium,
}
