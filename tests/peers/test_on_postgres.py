"""The whole program with its identities in PostgreSQL."""

import json
import smtplib
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.testing.node import ANGARIUM, Node
from angarium.testing.postgres import PostgresServer
from angarium.testing.programs import PATIENCE_S, run
from angarium.testing.pulse import Pulse

CONFIG = 'Require_Authentication = true\nAuth_Failure_Delay = 0\nIdentity_Store = "{url}"\n'


class Service:
    """A node on a database, and the identities of its first start."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.server, self.database = server, server.create_database()
        self.places = ["--config", str(folder / "angarium.conf"), "--data", str(folder / "data"), "--json"]
        config = CONFIG.format(url=server.url(self.database))
        (folder / "angarium.conf").write_text(config)
        self.first: dict[str, Any] = self.cli("init")
        self.node = Node(config, folder=folder)

    def cli(self, *arguments: str) -> Any:
        """Run `angarium ARGUMENTS`, which opens the store by itself."""
        return json.loads(run([ANGARIUM, *arguments, *self.places]) or "null")

    def log_in(self, user: str, secret: str) -> int:
        """Return the code of the answer to a login."""
        with smtplib.SMTP("127.0.0.1", self.node.smtp_port) as client:
            client.starttls(context=ssl._create_unverified_context())
            client.ehlo()
            client.user, client.password = user, secret
            try:
                return client.auth("PLAIN", client.auth_plain)[0]
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with PostgresServer() as server:
        made = Service(server, tmp_path)
        with made.node:
            yield made


def test_a_key_made_beside_the_node_is_good_at_once_and_a_revoked_one_is_refused_within_a_second(
    service: Service,
) -> None:
    login = service.first["login"]
    assert service.log_in(login["username"], login["secret"]) == 235
    key = service.cli("keys", "create", "shop", "--grant", "smtp/inject")
    assert service.log_in("SMTP_Injection", key["secret"]) == 235
    service.cli("keys", "disable", str(key["id"]))
    with Pulse() as pulse:
        asked_s = 0.0
        while service.log_in("SMTP_Injection", key["secret"]) != 535:
            assert asked_s < 1.0
            asked_s = pulse.seconds


def test_while_the_database_is_away_nobody_is_let_in_and_the_answer_is_temporary(service: Service) -> None:
    login = service.first["login"]
    assert service.log_in(login["username"], login["secret"]) == 235
    service.server.drop_database(service.database)
    service.node.program.wait_for("identity_outage")
    until = time.monotonic() + PATIENCE_S
    while (code := service.log_in(login["username"], login["secret"])) == 235:
        assert time.monotonic() < until
    assert code == 454


def test_a_node_moves_to_a_database_and_back_and_goes_on_making_what_it_makes(tmp_path: Path) -> None:
    places = ["--data", str(tmp_path / "data"), "--json"]
    first = json.loads(run([ANGARIUM, "init", *places]))
    with PostgresServer() as server:
        url = server.url(server.create_database())
        copied = json.loads(run([ANGARIUM, "identity", "copy", url, *places]))
        assert copied["rows"]["credentials"] == 3
        with Node(CONFIG.format(url=url), folder=tmp_path) as node:
            configured = ["--config", str(node.config_file), *places]
            made = json.loads(
                run([ANGARIUM, "keys", "create", "shop", "--grant", "smtp/inject", *configured])
            )
            assert made["id"] == first["login"]["id"] + 1
            for user, secret in (
                (first["login"]["username"], first["login"]["secret"]),
                ("SMTP_Injection", made["secret"]),
            ):
                with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
                    client.starttls(context=ssl._create_unverified_context())
                    client.login(user, secret)
        back = str(tmp_path / "back.db")
        run([ANGARIUM, "identity", "copy", back, "--from", url, *places])
    kept = tmp_path / "data" / "identity"
    Path(back).replace(kept / "identity.db")
    again = json.loads(run([ANGARIUM, "keys", "create", "again", "--grant", "smtp/inject", *places]))
    assert again["id"] == made["id"] + 1
