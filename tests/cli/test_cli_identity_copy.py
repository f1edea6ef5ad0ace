"""`angarium identity copy`: from the command line, between files."""

import json

import pytest


@pytest.fixture
def first(cli):
    result = cli("init", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_dry_run_says_what_would_be_copied_and_makes_nothing(cli, first, tmp_path):
    target = tmp_path / "copy" / "identity.db"
    result = cli("identity", "copy", "--dry-run", str(target))
    assert result.exit_code == 0
    assert "accounts 1" in result.stdout
    assert result.stdout.endswith("would be copied.\nThe target is empty.\n")
    assert not target.parent.exists()
    rows = json.loads(cli("identity", "copy", "--dry-run", "--json", str(target)).stdout)
    assert (rows["rows"]["credentials"], rows["there"]) == (3, {})


def test_a_copy_says_what_to_do_next_and_is_refused_a_second_time(cli, first, tmp_path):
    target = str(tmp_path / "copy" / "identity.db")
    result = cli("identity", "copy", target)
    assert result.exit_code == 0, result.output
    assert "copied. Set Identity_Store to it" in result.stdout
    again = cli("identity", "copy", target)
    assert (again.exit_code, "--replace" in again.stderr) == (1, True)
    declined = cli("identity", "copy", "--replace", target, answer="n\n")
    assert (declined.exit_code, "of the target will be deleted" in declined.stderr) == (1, True)
    replaced = json.loads(cli("identity", "copy", "--replace", "--yes", "--json", target).stdout)
    assert (replaced["rows"]["credentials"], replaced["replaced"]["credentials"]) == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("identity/identity.db",), "the target is the store itself"),
        (("mysql://x/y",), "neither SQLite nor PostgreSQL"),
        (("other.db", "--from", "nowhere.db"), "there is no store to copy"),
    ],
)
def test_what_cannot_be_copied(cli, first, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    result = cli("identity", "copy", *arguments)
    assert result.exit_code == 1, result.output
    assert said in result.stderr


def test_without_a_store_nothing_is_made(cli, tmp_path):
    result = cli("identity", "copy", str(tmp_path / "new.db"))
    assert result.exit_code == 1
    assert list(tmp_path.iterdir()) == []
