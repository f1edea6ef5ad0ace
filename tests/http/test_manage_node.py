"""The first start of the real program, and its manage API over HTTP."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

KEEP_MAIL = "Suspend_Delivery = true\n"


@pytest.fixture(scope="module")
def node():
    with Node(KEEP_MAIL, workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def first(node):
    """What `angarium init --json` printed beside the running node."""
    out = subprocess.run(
        [ANGARIUM, "init", "--data", node.data, "--json"], capture_output=True, check=True, text=True
    ).stdout
    return json.loads(out)


def ask(node, method, path, key, body=None):
    """Return status, header fields and JSON of an answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{node.http_port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def paste(example):
    """Run an example as it would be pasted into a shell."""
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", example],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={"PATH": path, "HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def waiting(node):
    """Return how many recipients wait at the node."""
    totals = node.cli("queue")["totals"]
    return totals["active"] + totals["delayed"]


def test_the_example_for_python_sends(node, first):
    before = waiting(node)
    paste(first["examples"]["smtplib"])
    assert waiting(node) == before + 1


@pytest.mark.peer
def test_the_example_for_swaks_sends(node, first):
    before = waiting(node)
    said = paste(first["examples"]["swaks"])
    assert "STARTTLS" in said
    assert waiting(node) == before + 1


@pytest.mark.peer
def test_the_example_for_curl_lists_the_server(node, first):
    assert [server["name"] for server in json.loads(paste(first["examples"]["curl"]))["data"]] == ["default"]


def test_a_key_made_over_http_is_good_until_it_is_disabled_by_command(node, first):
    body = {"label": "deploy", "grants": ["account/manage"]}
    status, headers, made = ask(node, "POST", "/manage/v1/keys", first["key"]["secret"], body)
    assert status == 201
    assert ask(node, "GET", headers["Location"], first["key"]["secret"])[2]["label"] == "deploy"
    assert ask(node, "GET", "/manage/v1/servers", made["secret"])[0] == 200
    node.cli("keys", "disable", str(made["id"]))
    status, headers, problem = ask(node, "GET", "/manage/v1/servers", made["secret"])
    assert (status, problem["type"]) == (401, "urn:angarium:problem:not-authenticated")
    assert headers["Content-Type"] == "application/problem+json"


def test_what_the_program_serves_is_what_the_document_says(node, first):
    status, _, document = ask(node, "GET", "/manage/v1/openapi.json", "")
    assert status == 200
    for path, methods in document["paths"].items():
        answers = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if "application/json" in answers and "{" not in path:
            assert ask(node, "GET", f"/manage/v1{path}", first["key"]["secret"])[0] == 200, path


def test_mail_programs_are_told_the_port(node):
    status, text = node.get("/.well-known/autoconfig/mail/config-v1.1.xml")
    assert status == 200
    assert f"<port>{node.smtp_port}</port>" in text


def test_no_secret_is_in_the_log(node, first):
    log = node.program.log
    for name in ("token", "key", "login"):
        assert first[name]["secret"] not in log
