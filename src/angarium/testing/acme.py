"""An ACME authority on this machine (Debian's pebble), and certbot as its client: certificates as they come in earnest.

Names are looked up in a server of the authority's own, which knows 127.0.0.1 alone. So challenges are made and answered
over real sockets, and nothing leaves the machine.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from angarium.testing.authority import CertificateAuthority
from angarium.testing.peers import find_program
from angarium.testing.programs import Program, free_port, run


class AcmeAuthority:
    """Pebble. *directory* is its URL, *ca* proves its own server, *http_port* is where challenges are asked for."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="angarium-acme-")
        folder = Path(self._folder.name)
        authority = CertificateAuthority(folder)
        shown = authority.issue("localhost", "127.0.0.1")
        self.ca = authority.file
        self.http_port, port, dns = free_port(), free_port(), free_port()
        self.directory = f"https://localhost:{port}/dir"
        config = {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{free_port()}",
            "certificate": str(shown.certificate),
            "privateKey": str(shown.key),
            "httpPort": self.http_port,
            "tlsPort": free_port(),
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        self._programs = [
            Program(_names(dns), name="pebble-challtestsrv"),
            Program(
                [
                    find_program("pebble", "pebble"),
                    "-config",
                    folder / "pebble.json",
                    "-dnsserver",
                    f"127.0.0.1:{dns}",
                    "-strict",
                ],
                name="pebble",
                env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            ),
        ]
        self._programs[1].wait_for("ACME directory available")

    def close(self) -> None:
        """Stop it, and forget all that it has issued."""
        for program in self._programs:
            program.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _names(port: int) -> list[str]:
    off = [part for option in ("http01", "https01", "tlsalpn01") for part in (f"-{option}", "")]
    dns = ["-dns01", f"127.0.0.1:{port}", "-defaultIPv6", "", "-management", f"127.0.0.1:{free_port()}"]
    return [str(find_program("pebble-challtestsrv", "pebble")), *off, *dns]


class Certbot:
    """Certbot with folders of its own in *folder*, which asks *authority*."""

    def __init__(self, authority: AcmeAuthority, folder: Path) -> None:
        self._authority = authority
        self._folder = folder

    def obtain(self, name: str, deploy_hook: str) -> str:
        """Obtain a certificate for *name* and have *deploy_hook* run, now and after each renewal."""
        how = ["--standalone", "--http-01-address", "127.0.0.1", "--agree-tos", "-d", name]
        who = ["--register-unsafely-without-email", "--deploy-hook", deploy_hook]
        return self._run("certonly", [*how, "--http-01-port", str(self._authority.http_port), *who])

    def renew(self) -> str:
        """Renew all, as a timer does when it is time."""
        return self._run("renew", ["--force-renewal", "--no-random-sleep-on-renew"])

    def _run(self, command: str, arguments: Sequence[str]) -> str:
        folders = [
            part for each in ("config", "work", "logs") for part in (f"--{each}-dir", self._folder / each)
        ]
        server = ["--server", self._authority.directory, "--non-interactive"]
        program = [find_program("certbot", "certbot"), command, *folders, *server, *arguments]
        ca = f"REQUESTS_CA_BUNDLE={self._authority.ca}"
        return run(["env", ca, *program])
