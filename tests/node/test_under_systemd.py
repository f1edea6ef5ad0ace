"""A real node under a scripted service manager: it says when it takes mail, lives by its watchdog, and listens on what
it is passed; and the units that are shipped.
"""

import smtplib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from angarium.config.load import load_config
from angarium.testing.node import ANGARIUM
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

PACKAGING = Path(__file__).parents[2] / "packaging"


class Service(NamedTuple):
    """A node as the manager sees it."""

    program: subprocess.Popen[bytes]
    manager: socket.socket
    listening: socket.socket
    in_vain: socket.socket
    log: Path

    def wait_for(self, word: str) -> list[str]:
        """Read what the node says up to a message with *word*, and return all messages."""
        heard: list[str] = []
        while not heard or word not in heard[-1]:
            heard.append(self.manager.recv(4096).decode())
        return heard


START = """\
exec env LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=smtp:other NOTIFY_SOCKET={notify} \
    WATCHDOG_USEC=1000000 WATCHDOG_PID=$$ \
    {angarium} serve --config {config} --data {data} --workers 2 3<&{first} 4<&{second}
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    listening, in_vain = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(PATIENCE_S)
    port = listening.getsockname()[1]
    config = tmp_path / "angarium.conf"
    config.write_text(
        f'ESMTP_Listener "x" {{ Listen "127.0.0.1:{port}" {{ }} }} HTTP_Listener {{ Listen "127.0.0.1:0" {{ }} }}\n'
    )
    first, second = listening.fileno(), in_vain.fileno()
    script = START.format(
        notify=tmp_path / "notify",
        angarium=ANGARIUM,
        config=config,
        data=tmp_path / "data",
        first=first,
        second=second,
    )
    log = tmp_path / "log"
    with log.open("wb") as to:
        program = subprocess.Popen(["bash", "-c", script], pass_fds=(first, second), stdout=to, stderr=to)
    yield Service(program, manager, listening, in_vain, log)
    program.kill()
    program.wait()
    for sock in (manager, listening, in_vain):
        sock.close()


def test_a_node_says_what_it_does_and_listens_on_what_it_is_passed(service: Service) -> None:
    heard = service.wait_for("READY=1")
    assert "EXTEND_TIMEOUT_USEC" in heard[0]
    assert "STATUS=takes mail with " in heard[-1]
    service.wait_for("WATCHDOG=1")
    service.wait_for("WATCHDOG=1")

    host, port = service.listening.getsockname()
    with smtplib.SMTP(host, port, timeout=PATIENCE_S) as client:
        assert client.noop()[0] == 250
        environments = (
            Path(f"/proc/{service.program.pid}/task/{service.program.pid}/children").read_text().split()
        )
        for child in environments:
            assert b"LISTEN_" not in Path(f"/proc/{child}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in Path(f"/proc/{child}/environ").read_bytes()
    in_vain = "{}:{}".format(*service.in_vain.getsockname())
    assert f'"passed_in_vain":["{in_vain}"]' in service.log.read_text()

    service.program.terminate()
    service.wait_for("STOPPING=1")
    assert service.program.wait(PATIENCE_S) == 0
    # whoever connects now waits for the next start
    with socket.create_connection((host, port), timeout=PATIENCE_S):
        pass


def test_the_units_are_good(tmp_path: Path) -> None:
    if not Path("/usr/bin/systemd-analyze").exists():
        pytest.skip("there is no systemd-analyze; Debian's package systemd has it")
    for name in ("angarium.service", "angarium.socket"):
        lines = (PACKAGING / name).read_text().splitlines()
        # neither the program nor its man page need be on this machine
        text = "\n".join(line for line in lines if "Documentation=" not in line) + "\n"
        (tmp_path / name).write_text(text.replace("/opt/angarium/bin/angarium", "/bin/true"))
    units = [str(tmp_path / name) for name in ("angarium.service", "angarium.socket")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_socket_unit_has_the_addresses_of_the_configuration() -> None:
    config = load_config(PACKAGING / "angarium.conf")
    listens = [str(address) for listener in config.listeners for address in listener.listens]
    listens += [str(address) for address in config.http_listens]
    unit = (PACKAGING / "angarium.socket").read_text().splitlines()
    assert sorted(line.partition("=")[2] for line in unit if line.startswith("ListenStream=")) == sorted(
        listens
    )
