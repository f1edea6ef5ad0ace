"""Managing who may send from the command line, with no node running."""

import json
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.cli.identity.options import moment, number, rate
from angarium.cli.main import COMMANDS, main
from angarium.http.manage.bodies import OptionsBody

GROUPS = ("accounts", "servers", "streams", "tokens", "logins", "keys", "people", "domains", "secrets")


@pytest.fixture
def first(cli):
    """What `angarium init --json` printed."""
    result = cli("init", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def run(cli, first):
    """Run a command that must succeed; returns its JSON."""

    def ask(*arguments, answer=""):
        result = cli(*arguments, "--json", answer=answer)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return ask


def commands():
    """Yield every command of the groups, as words."""
    for name in GROUPS:
        group = main.get_command(None, name)
        for command in group.commands:
            yield name, command


def test_every_listing_command_is_there():
    found = set(commands())
    for name in ("accounts", "servers", "people", "keys", "tokens", "logins", "domains"):
        for verb in ("list", "show", "change", "disable", "enable", "delete"):
            assert (name, verb) in found
    assert {("streams", "archive"), ("streams", "unarchive"), ("secrets", "rotate")} <= found


@pytest.mark.parametrize("words", [*commands(), ("init",), ("audit",)], ids=" ".join)
def test_every_command_takes_json_and_explains_itself(cli, words):
    text = cli(*words, "--help", data=False).stdout
    assert "--json" in text
    assert len(text.splitlines()[2].strip()) > 10, "a sentence on what it does"


@pytest.mark.process
def test_what_is_common_to_all_costs_nothing_to_import():
    """Help and wrong usage must come fast: the database's library is imported where it is used."""
    modules = sorted({COMMANDS[name] for name in (*GROUPS, "init", "audit")})
    code = (
        f"import sys, importlib; [importlib.import_module('angarium.cli.' + name) for name in {modules}]; "
        "print([name for name in ('sqlalchemy', 'argon2', 'cryptography', 'rich', 'starlette') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


# the store


@pytest.mark.parametrize(
    "words", [("accounts", "list"), ("audit",), ("keys", "create", "x", "--grant", "smtp/inject")]
)
def test_without_a_store_nothing_is_made_and_the_sentence_says_how(cli, tmp_path, words):
    result = cli(*words)
    assert result.exit_code == 1
    assert "make one with `angarium init`" in result.stderr
    assert not (tmp_path / "identity").exists()


def test_a_bad_configuration_is_told_as_elsewhere(cli, tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text("Retry_Intervall = 5\n")
    result = cli("accounts", "list", "--config", str(bad))
    assert result.exit_code == 1
    assert "Retry_Intervall" in result.stderr


def test_the_store_is_where_the_configuration_says(cli, tmp_path):
    config = tmp_path / "angarium.conf"
    config.write_text(
        f'Identity_Store = "sqlite:///{tmp_path}/other.db"\nSecrets_Key_File = "{tmp_path}/other.key"\n'
    )
    assert cli("init", "--config", str(config)).exit_code == 0
    assert (tmp_path / "other.db").exists()
    assert stat.S_IMODE((tmp_path / "other.key").stat().st_mode) == 0o600
    assert "default" in cli("accounts", "list", "--config", str(config)).stdout
    assert cli("accounts", "list").exit_code == 1, "the default place is empty"


def test_the_running_node_says_which_configuration_is_in_force(cli, control, tmp_path, monkeypatch):
    config = tmp_path / "angarium.conf"
    config.write_text(f'Identity_Store = "sqlite:///{tmp_path}/other.db"\n')
    monkeypatch.chdir(tmp_path)
    for name in (str(config), "angarium.conf"):
        control.says["node"] = {"config": name, "pid": os.getpid()}
        result = cli("init", "--if-needed")
        assert result.exit_code == 0, result.stderr
        assert not (tmp_path / "identity" / "identity.db").exists()
    assert (tmp_path / "other.db").exists()


# accounts and servers


def test_an_account_lives(run, cli):
    made = run("accounts", "create", "acme", "--daily-quota", "1000", "--rate", "100/60")
    assert made["limits"]["rate"] == {"count": 100, "seconds": 60}
    assert made["limits"]["sender_domains"] == "verified", "as for every account but the first"
    assert run("accounts", "show", "default")["limits"]["sender_domains"] is None
    changed = run(
        "accounts", "change", "acme", "--rate", "none", "--sender-domains", "verified", "--max-keys", "3"
    )
    assert changed["limits"] == {
        "rate": None,
        "daily_quota": 1000,
        "max_recipients": None,
        "max_message_size": None,
        "sender_domains": "verified",
        "max_queued_recipients": None,
        "max_queued_bytes": None,
        "max_domains": None,
        "max_keys": 3,
    }
    assert run("accounts", "disable", "acme")["suspended"] is True
    row = cli("accounts", "list").stdout.splitlines()[2].split()
    assert row == ["2", "acme", "suspended", "daily_quota=1000", "sender_domains=verified", "max_keys=3"]
    assert run("accounts", "enable", "acme")["suspended"] is False
    run("accounts", "delete", "acme", "--yes")
    assert [account["name"] for account in run("accounts", "list")] == ["default"]


def test_a_delete_says_what_goes_and_asks_first(cli, first):
    result = cli("accounts", "delete", "default", answer="n\n")
    assert result.exit_code == 1
    assert "with its servers (1), keys, tokens and logins (3)" in result.stderr
    assert "default" in cli("accounts", "list").stdout
    assert cli("accounts", "delete", "default", answer="y\n").exit_code == 0
    assert "default" not in cli("accounts", "list").stdout


@pytest.mark.slow
@pytest.mark.parametrize("resource", ["servers", "keys", "tokens", "logins", "domains", "people"])
def test_every_delete_asks_first(run, cli, resource):
    run("domains", "add", "example.com")
    run("people", "create", "ann@example.com", answer="a long password\n")
    number = str(run(resource, "list")[0]["id"])
    refused = cli(resource, "delete", number)
    assert refused.exit_code == 1
    assert "--yes answers the question beforehand" in refused.stderr
    assert len(run(resource, "list")) == 1
    run(resource, "delete", number, "--yes")
    assert run(resource, "list") == []


def test_a_server_lives_and_brings_its_streams(run):
    made = run("servers", "create", "shop", "--no-smtp", "--set", "track_links=all", "--max-recipients", "50")
    assert (made["smtp"], made["options"]) == (False, {"track_links": "all"})
    changed = run("servers", "change", "shop", "--smtp", "--on-error", "refuse", "--set", "track_links=")
    assert (changed["smtp"], changed["on_error"], changed["options"]) == (True, "refuse", {})
    shown = run("servers", "show", "shop")
    assert {stream["id"] for stream in shown["streams"]} == {"outbound", "broadcast"}
    assert run("servers", "disable", "shop")["suspended"] is True


def test_where_there_are_several_one_must_be_named(run, cli):
    assert run("tokens", "create")["server"] == 1, "there is only one"
    run("servers", "create", "shop")
    result = cli("tokens", "create")
    assert result.exit_code == 1
    assert "there are several servers; say which with --server: 1 default, 2 shop" in result.stderr
    assert run("tokens", "create", "--server", "shop")["server"] == 2
    assert run("tokens", "create", "--server", "2")["server"] == 2


def test_streams_are_made_and_archived(run, cli):
    assert run("streams", "create", "news", "--kind", "broadcast")["name"] == "news"
    assert run("streams", "change", "news", "--name", "News")["name"] == "News"
    assert run("streams", "archive", "news")["archived_at"] is not None
    assert "news" not in {stream["id"] for stream in run("streams", "list")}
    assert "archived" in cli("streams", "list", "--archived").stdout
    assert run("streams", "unarchive", "news")["archived_at"] is None


# secrets


def every_secret(first):
    """Return the secrets that init printed."""
    return [first[name]["secret"] for name in ("token", "key", "login")]


def test_secrets_are_shown_once_and_stand_nowhere_in_clear(run, cli, first, tmp_path):
    secrets = [
        *every_secret(first),
        run("keys", "create", "k", "--grant", "smtp/inject")["secret"],
        run("tokens", "create", "--stream", "outbound", "--challenge")["secret"],
        run("logins", "create", "l", "--challenge")["secret"],
    ]
    told = "".join(
        cli(*words, *form).stdout
        for words in (
            ("keys", "list"),
            ("tokens", "list"),
            ("logins", "list"),
            ("audit",),
            ("logins", "show", "3"),
        )
        for form in ((), ("--json",))
    )
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in secrets:
        assert secret not in told
        assert secret.encode() not in kept


def test_a_login_is_shown_with_its_user_name(cli, first):
    lines = cli("logins", "create", "news").stdout.splitlines()
    assert lines[0] == 'login 4 "news" made'
    assert [line.split()[:-1] for line in lines[1:3]] == [["user", "name"], ["password"]]
    assert lines[3] == "It is shown only now; keep it safe."


def test_a_login_takes_its_switches(run, cli):
    made = run(
        "logins", "create", "news", "--set", "inline_css=true", "--set", 'tags=["a"]', "--stream", "broadcast"
    )
    assert made["options"] == {"tags": ["a"], "inline_css": True}
    number = str(made["id"])
    changed = run(
        "logins", "change", number, "--set", "inline_css=", "--stream", "any", "--network", "10.1.2.3/8"
    )
    assert (changed["options"], changed["stream"]) == ({"tags": ["a"]}, None)
    assert changed["networks"] == ["10.0.0.0/8"]
    assert run("logins", "change", number, "--network", "any")["networks"] == []
    assert run("logins", "disable", made["username"])["enabled"] is False, "a user name names it as well"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("inlin_css=true", "did you mean inline_css?"),
        ("inline_css", "write OPTION=VALUE"),
        ("inline_css=perhaps", "expected bool"),
        ("track_links=some", "invalid enum value"),
    ],
)
def test_a_wrong_option_is_wrong_usage(cli, first, given, said):
    result = cli("logins", "create", "x", "--set", given)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_help_of_logins_names_switches_that_exist(cli):
    words = " ".join(cli("logins", "create", "--help", data=False).stdout.split())
    named = {
        word.partition("=")[0] for word in words.replace(",", " ").replace(";", " ").split() if "=" in word
    }
    assert {"track_opens", "inline_css", "host_images", "prevent_scam"} <= named
    assert named - {"OPTION"} <= set(OptionsBody.__struct_fields__)


def test_keys_have_grants_networks_and_an_end(run, cli):
    made = run(
        "keys", "create", "k", "--grant", "all", "--expires", "2030-01-31", "--network", "192.0.2.0/24"
    )
    assert "node/manage" not in made["grants"]
    assert "smtp/inject" in made["grants"]
    assert made["expires_at"] == "2030-01-31T00:00:00.000Z"
    changed = run("keys", "change", str(made["id"]), "--grant", "metrics/view", "--expires", "never")
    assert (changed["grants"], changed["expires_at"]) == (["metrics/view"], None)
    assert "say what it may do" in cli("keys", "create", "k").stderr
    assert cli("keys", "grants", data=False).stdout.count("\n") > 20


def test_a_key_is_made_for_the_account_that_is_named_or_for_none(run, cli, first):
    run("accounts", "create", "acme")
    words = ("keys", "create", "k", "--grant", "smtp/inject", "--account", "acme", "--server")
    for server in (str(first["server"]["id"]), first["server"]["name"]):
        result = cli(*words, server)
        assert (result.exit_code, "--account" in result.stderr or "servers list" in result.stderr) == (
            1,
            True,
        )
    own = run("servers", "create", "default", "--account", "acme")
    assert run(*words, "default")["server"] == own["id"]
    assert [row["server"] for row in run("keys", "list", *words[-3:], "default")] == [own["id"]]


def test_a_key_is_not_taken_for_a_login(cli, first):
    result = cli("logins", "disable", str(first["key"]["id"]))
    assert result.exit_code == 1
    assert "is no login but of the kind api_key" in result.stderr


# people


def test_a_link_logs_in_who_has_a_role(run, cli):
    run("people", "create", "ann@example.com", answer="correct horse battery\n")
    refused = cli("people", "link", "ann@example.com")
    assert refused.exit_code == 1
    assert "angarium people change ann@example.com --role viewer" in refused.stderr
    run("people", "change", "ann@example.com", "--role", "owner")
    made = run("people", "link", "ann@example.com")
    assert made["link"].startswith("http://127.0.0.1:8080/ui/login?link=")


def test_the_password_of_a_person_comes_from_standard_input(run, cli, tmp_path):
    made = run("people", "create", "ann@example.com", "--name", "Ann", answer="correct horse battery\n")
    assert made["name"] == "Ann"
    run("people", "password", "ann@example.com", answer="staple staple\n")
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"correct horse" not in kept
    assert b"staple staple" not in kept
    assert run("people", "disable", "ann@example.com")["enabled"] is False
    assert (
        run("people", "change", "ann@example.com", "--email", "bea@example.com")["email"] == "bea@example.com"
    )


def test_without_a_password_nobody_is_made(run, cli):
    result = cli("people", "create", "ann@example.com")
    assert result.exit_code == 1
    assert "there is no password" in result.stderr
    result = cli("people", "create", "ann@example.com", answer=b"\xff" * 9)
    assert (result.exit_code, "the password is not UTF-8" in result.stderr) == (1, True)
    assert run("people", "list") == []


@pytest.mark.parametrize("id", ["9" * 19, "-1", "x", "٣"])
def test_a_listing_goes_on_behind_an_id_and_nothing_else(cli, first, id):
    result = cli("accounts", "list", f"--after={id}")
    assert (result.exit_code, "is no id" in result.stderr) == (2, True)


def test_no_command_takes_a_password_as_an_argument():
    for name, verb in commands():
        command = main.get_command(None, name).commands[verb]
        given = {option for parameter in command.params for option in parameter.opts}
        assert not {"--password", "--secret"} & given, (name, verb)


# the audit log, and secrets rotate


def test_the_audit_log_shows_the_last_changes_and_who_made_them(run, cli):
    for count in range(4):
        run("accounts", "create", f"a{count}")
    last = run("audit", "--limit", "2")
    assert [change["action"] for change in last] == ["create", "create"]
    assert all(change["actor"].startswith("cli:") for change in last)
    assert last[0]["id"] < last[1]["id"]
    following = run("audit", "--after", str(last[0]["id"]))
    assert [change["id"] for change in following] == [last[1]["id"]]
    assert len(run("audit", "--account", "a0")) == 1


def test_rotation_says_how_many_secrets_it_encrypted(run, cli, tmp_path):
    run("logins", "create", "l", "--challenge")
    before = (tmp_path / "identity" / "secrets.key").read_bytes()
    assert run("secrets", "rotate") == {"encrypted": 1}
    assert (tmp_path / "identity" / "secrets.key").read_bytes() != before
    assert cli("secrets", "rotate").stdout == "1 secret encrypted under a new key\n"


# what is typed


@pytest.mark.parametrize("text", ["", "x", "5", "5/0", "0/5", "5/x", "-1/5"])
def test_what_is_no_rate(cli, first, text):
    result = cli("accounts", "create", "x", f"--rate={text}")
    assert result.exit_code == 2
    assert "write it as 100/60" in result.stderr


@given(st.integers(1, 10**9), st.integers(1, 86_400))
def test_a_rate_is_read_as_it_is_written(count, seconds):
    assert rate(f"{count}/{seconds}") == (count, seconds)


@given(st.integers(1, 10**12))
def test_a_number_is_read_as_it_is_written(count):
    assert number(str(count)) == count


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2030-01-31", 1_896_048_000),
        ("2030-01-31T12:00:00Z", 1_896_091_200),
        ("2030-01-31T13:00:00+01:00", 1_896_091_200),
        ("never", "never"),
    ],
)
def test_moments(text, at):
    assert moment(text) == at


def test_a_span_counts_from_now(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1000.0)
    assert moment("2h") == 8200.0
