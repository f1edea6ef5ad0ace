"""Nothing of a secret is in logs, in files of the node, or in what `ps` shows: everything is searched."""

import base64
import json
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.testing.lab import Lab
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import run

pytestmark = pytest.mark.process

OUTGOING = "outgoing-password-of-the-relay"
CONFIG = """
    Relay_Hosts = ( 127.0.0.9 )
    Routes = ( "127.0.0.1:{sink}" )
    Log_Level = debug
    Auth_Without_TLS = true
    Auth_Failure_Delay = 0
    Outbound_SMTP_AUTH_Type = PLAIN
    Outbound_SMTP_AUTH_User = us
    Outbound_SMTP_AUTH_Pass = "{outgoing}"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A data folder with one identity of each kind, and their secrets by user name."""
    folder = tmp_path_factory.mktemp("node")
    places = ["--data", str(folder / "data"), "--json"]
    first = json.loads(run([ANGARIUM, "init", *places]))
    login = json.loads(run([ANGARIUM, "logins", "create", "challenged", "--challenge", *places]))
    token, key = first["token"]["secret"], first["key"]["secret"]
    return folder, {
        first["login"]["username"]: first["login"]["secret"],
        login["username"]: login["secret"],
        "SMTP_Injection": key,
        token: token,
    }


@pytest.fixture(scope="module")
def node(shared_lab: Lab, made: tuple[Path, dict[str, Any]]) -> Iterator[Node]:
    config = CONFIG.format(sink=shared_lab.sink().port, outgoing=OUTGOING)
    with Node(config, folder=made[0]) as running:
        yield running


def forms(user: str, secret: str) -> list[bytes]:
    """The secret as it could be written down: as it is, and as AUTH carries it."""
    carried = [f"\0{user}\0{secret}", secret, f"{secret}\0", f"\0{secret}"]
    plain = [secret.encode(), secret.encode().hex().encode()]
    return plain + [base64.b64encode(text.encode()).rstrip(b"=")[:-1] for text in carried]


def log_in_every_way(node: Node, user: str, secret: str) -> None:
    """Log in by each mechanism that smtplib knows, with the secret and with one that is nearly it; send a mail."""
    for mechanism in ("plain", "login", "cram_md5"):
        for given in (secret, f"{secret}x"):
            with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
                client.starttls(context=ssl._create_unverified_context())
                client.ehlo()
                client.user, client.password = user, given
                try:
                    client.auth(mechanism.upper().replace("_", "-"), getattr(client, f"auth_{mechanism}"))
                except smtplib.SMTPException:
                    continue
                client.sendmail("me@here.test", ["ann@there.test"], b"From: me@here.test\r\n\r\ntext\r\n")


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "angarium.conf"]


def test_nothing_of_a_secret_is_kept_or_shown(node: Node, made: tuple[Path, dict[str, Any]]) -> None:
    folder, secrets = made
    node.cli("logins", "list")
    for user, secret in secrets.items():
        log_in_every_way(node, user, secret)
        log_in_every_way(node, "nobody", secret)  # the right secret in the wrong place
        log_in_every_way(node, secret, "whatever")
    shown = run([ANGARIUM, "config", "show", "--config", node.config_file, "--data", node.data])
    wanted = [form for user, secret in secrets.items() for form in forms(user, secret)] + forms(
        "us", OUTGOING
    )
    places = {
        "the configuration": shown.encode(),
        **{f"the arguments of {pid}": Path(f"/proc/{pid}/cmdline").read_bytes() for pid in node.pids},
        **{f"the environment of {pid}": Path(f"/proc/{pid}/environ").read_bytes() for pid in node.pids},
    }
    node.stop()
    places["the log"] = node.program.log.encode()
    places |= {str(path.relative_to(folder)): path.read_bytes() for path in files_of(folder)}
    assert "data/identity/identity.db" in places
    found = [(place, form) for place, content in places.items() for form in wanted if form in content]
    assert not found
