"""The lines of `angarium tls trust`, pasted: with them each program believes the node, and no other."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from angarium.cli.trusting import TRUSTING
from angarium.testing.node import Node
from angarium.testing.peers import find_program
from angarium.testing.programs import PATIENCE_S, free_port
from angarium.tls.server.own import ensure_own_certificate, own_pair

CONFIG = """
Hostname = mx.test
Suspend_Delivery = true
ESMTP_Listener "tls" {{ Listen "127.0.0.1:{port}" {{ Use_SSL = true }} }}
"""
PROGRAMS = {
    "mail.eml": "Subject: hello\n\ntrusted\n",
    "app.js": """
        const socket = require("tls").connect({ host: "localhost", port: process.env.PORT }, () => {
          console.log("trusted");
          socket.destroy();
        });
    """,
    "App.java": """
        import javax.net.ssl.*;
        public class App {
          public static void main(String[] arguments) throws Exception {
            int port = Integer.parseInt(System.getenv("PORT"));
            SSLSocket socket = (SSLSocket) SSLSocketFactory.getDefault().createSocket("localhost", port);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            System.out.println("trusted");
          }
        }
    """,
    "app.php": """<?php
        $socket = stream_socket_client("ssl://localhost:" . getenv("PORT"), $code, $why, 30);
        if ($socket === false) exit(1);
        echo "trusted\\n";
    """,
    "app.rb": """
        require "openssl"
        require "socket"
        context = OpenSSL::SSL::SSLContext.new
        context.set_params
        socket = OpenSSL::SSL::SSLSocket.new(TCPSocket.new("localhost", ENV["PORT"]), context)
        socket.hostname = "localhost"
        socket.connect
        socket.post_connection_check("localhost")
        puts "trusted"
    """,
}


class Place(NamedTuple):
    node: Node
    port: int
    """Of TLS from the first byte."""
    stranger: Path
    """The certificate of another node."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    port = free_port()
    other = tmp_path_factory.mktemp("other")
    ensure_own_certificate(other, "mx.test", 1_800_000_000.0)
    with Node(CONFIG.format(port=port), workers=1) as node:
        yield Place(node, port, own_pair(other).certificate)


def lines_for(place: Place, kind: str, *arguments: str | Path) -> list[str]:
    (trust,) = place.node.cli("tls", "trust", "--for", kind, *map(str, arguments))
    return list(trust["programs"][kind])


def pasted(folder: Path, place: Place, lines: list[str]) -> subprocess.CompletedProcess[str]:
    """Run *lines* in a shell, in a folder of their own that has the programs."""
    folder.mkdir(exist_ok=True)
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text)
    return subprocess.run(
        ["sh", "-e"],
        input="\n".join(lines),
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PORT": str(place.port)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def in_python(lines: list[str], place: Place) -> list[str]:
    program = ["import smtplib, ssl", f'smtp = smtplib.SMTP("localhost", {place.node.smtp_port})', *lines]
    return ["python3 - <<'END'", *program, 'print("trusted")', "END"]


@pytest.mark.parametrize(
    ("kind", "program", "package"),
    [
        ("curl", "curl", "curl"),
        ("Python", "python3", "python3"),
        ("Node.js", "node", "nodejs"),
        ("Java", "java", "openjdk-17-jdk-headless"),
        ("PHP", "php", "php-cli"),
        ("Ruby", "ruby", "ruby"),
    ],
)
def test_with_these_lines_a_program_believes_this_node_and_no_other(
    place: Place, tmp_path: Path, kind: str, program: str, package: str
) -> None:
    find_program(program, package)
    for folder, arguments, is_good in (("a", (), True), ("b", ("--ca", place.stranger), False)):
        lines = lines_for(place, kind, *arguments)
        if kind == "Python":
            lines = in_python(lines, place)
        if kind == "Java":
            lines[-1] = lines[-1].replace("-jar app.jar", "App.java")
        done = pasted(tmp_path / folder, place, lines)
        said = done.stdout + done.stderr
        assert (done.returncode == 0) is is_good, said
        assert kind == "curl" or ("trusted\n" in said) is is_good, said


def test_a_bundle_has_what_the_machine_trusts_and_the_node(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert pasted(tmp_path / "a", place, lines_for(place, "bundle")).returncode == 0
    bundle = tmp_path / "a/angarium-bundle.pem"
    assert bundle.read_text().endswith((place.node.data / "tls/certificate.pem").read_text())
    (line,) = lines_for(place, "curl")
    line = line.replace(str(place.node.data / "tls/certificate.pem"), str(bundle))
    assert pasted(tmp_path / "a", place, [line]).returncode == 0


def test_all_kinds_are_told_of_one_certificate_once(place: Place) -> None:
    (trust,) = place.node.cli("tls", "trust")
    assert list(trust["programs"]) == list(TRUSTING)
    assert "localhost" in trust["names"]
