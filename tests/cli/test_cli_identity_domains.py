"""Sending domains from the command line, against a name server that says what the test wants."""

import asyncio
import json
import threading

import pytest

from angarium.testing.dns import ScriptedDns


class Names:
    """A name server in a thread; `publish` changes what it knows."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = ScriptedDns()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._wait(self.server.start())

    def publish(self, *lines: str) -> None:
        async def change() -> None:
            self.server.set_zone("\n".join(lines))

        self._wait(change())

    def close(self) -> None:
        self._wait(self.server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(20)
        self.loop.close()

    def _wait(self, doing) -> None:
        asyncio.run_coroutine_threadsafe(doing, self.loop).result(20)


@pytest.fixture
def names():
    found = Names()
    yield found
    found.close()


@pytest.fixture
def run(cli, tmp_path, names):
    """Run a `domains` command with that name server; returns the result."""
    config = tmp_path / "angarium.conf"
    address = names.server.address
    config.write_text(
        f'Hostname = "mail.example.net"\nDNS_Servers = ( "{address.host}:{address.port}" )\n'
        "DNS_Timeout = 1\nDNS_Deadline = 1\n"
    )
    assert cli("init", "--config", str(config)).exit_code == 0
    return lambda *words, answer="": cli("domains", *words, "--config", str(config), answer=answer)


def zone_lines(text):
    """Return the records of a zone file as lines for the scripted name server."""
    lines = [line for line in text.splitlines() if line and not line.startswith(";")]
    return [line.replace(" IN ", " ").replace("( ", "").replace(" )", "") for line in lines]


def keys_of(result):
    """Return the states of the keys that `show --json` tells of."""
    return sorted(key["state"] for key in json.loads(result.stdout)["keys"])


def test_what_add_prints_is_what_verify_looks_for(run, names):
    added = run("add", "Example.COM")
    assert added.exit_code == 0
    lines = zone_lines(added.stdout)
    assert sum("_domainkey.example.com." in line for line in lines) == 2
    names.publish(*lines)
    verified = run("verify", "example.com")
    assert verified.exit_code == 0, verified.output
    assert "missing" not in verified.stdout
    assert verified.stdout.endswith(
        "example.com is verified; its mail is signed with 2 of its keys, and bounces come back to bounces.example.com\n"
    )
    assert keys_of(run("show", "example.com", "--json")) == ["active", "active"]


def test_what_is_missing_is_told_and_the_exit_code_is_1(run, names):
    run("add", "example.com")
    result = run("verify", "example.com")
    assert result.exit_code == 1
    assert "publish a TXT record named" in result.stdout
    assert "example.com is not verified" in result.stdout


def test_what_is_wrong_is_shown_beside_what_to_do(run, names):
    lines = zone_lines(run("add", "example.com").stdout)
    wrong = [line if "_domainkey" not in line else f'{line.split()[0]} TXT "v=DKIM1; p="' for line in lines]
    names.publish(*wrong)
    result = run("verify", "example.com")
    assert result.exit_code == 1
    assert "    there is: v=DKIM1; p=" in result.stdout


def test_a_name_server_that_is_away_takes_nothing_back(run, names):
    names.publish(*zone_lines(run("add", "example.com").stdout))
    run("verify", "example.com")
    names.publish("*.com !servfail")
    names.publish(
        *[f"{line.split()[0]} !servfail" for line in zone_lines(run("records", "example.com").stdout)]
    )
    result = run("verify", "example.com")
    assert result.exit_code == 0, "it stays verified"
    assert "the DNS could not be asked" in result.stdout


def test_bounces_are_led_elsewhere(run):
    run("add", "example.com")
    changed = run("change", "example.com", "--return-path", "returns")
    assert "returns.example.com. 3600 IN CNAME mail.example.net." in changed.stdout
    assert "CNAME" not in run("change", "example.com", "--return-path", "").stdout
    wrong = run("change", "example.com", "--return-path", "a b")
    assert (wrong.exit_code, "write a name under example.com" in wrong.stderr) == (1, True)


def test_keys_overlap_when_they_are_rotated(run, names):
    before = zone_lines(run("add", "example.com").stdout)
    names.publish(*before)
    run("verify", "example.com")
    rotated = zone_lines(run("rotate", "example.com").stdout)
    assert keys_of(run("show", "example.com", "--json")) == ["active", "active", "pending", "pending"]
    names.publish(*before, *[line for line in rotated if line not in before])
    assert run("verify", "example.com").exit_code == 0
    assert keys_of(run("show", "example.com", "--json")) == ["active", "active", "retired", "retired"]


def test_json_has_the_records_with_their_zone_lines(run):
    record = json.loads(run("add", "example.com", "--json").stdout)["records"][0]
    assert record["zone_line"].startswith(record["name"])
    assert (record["type"], record["required"]) == ("TXT", True)
    checks = json.loads(run("verify", "example.com", "--json").stdout)["checks"]
    assert {check["status"] for check in checks} == {"missing"}


def test_a_domain_of_two_accounts_must_be_told_apart(run, cli):
    run("add", "example.com")
    cli("accounts", "create", "acme")
    assert run("add", "example.com", "--account", "acme").exit_code == 0
    result = run("show", "example.com")
    assert "several accounts have example.com; say which with --account" in result.stderr
    assert run("show", "example.com", "--account", "acme").exit_code == 0


def test_a_domain_is_disabled_and_deleted(run):
    run("add", "bücher.example")
    assert run("disable", "bücher.example").stdout == "domain xn--bcher-kva.example disabled\n"
    assert "disabled" in run("list").stdout
    assert run("enable", "BÜCHER.example").exit_code == 0
    assert run("delete", "bücher.example", answer="y\n").exit_code == 0
    assert run("show", "bücher.example").exit_code == 1
