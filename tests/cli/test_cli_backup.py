"""`angarium backup` and `restore`: what they say, and where they will not work."""

import asyncio
import json

import pytest

from angarium.spool.embedded import open_partition
from angarium.testing.spool import SMALL, SpoolDriver, make_message


@pytest.fixture
def node(cli, tmp_path):
    """A stopped node with an account and one message that waits for two recipients."""
    assert cli("init", "--json").exit_code == 0

    async def accept():
        path = tmp_path / "spool" / "p0"
        path.mkdir(parents=True)
        spool = open_partition(path, asyncio.get_running_loop(), SMALL)
        spool.recover()
        assert await SpoolDriver(spool).accept(make_message("a.example", "b.example", size=2), b"hi") is None
        await spool.close()

    asyncio.run(accept())
    return tmp_path


@pytest.fixture
def away(tmp_path_factory):
    """A folder on another disk."""
    return tmp_path_factory.mktemp("away")


def test_a_backup_says_of_when_it_is_and_that_it_holds_the_keys(cli, node, away):
    result = cli("backup", str(away / "b"))
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{away / 'b'}: ")
    assert "Every message acknowledged before " in first
    assert second == "It holds the node's keys: whoever can read it can send and sign as you."
    told = json.loads(cli("backup", str(away / "c"), "--without-keys", "--json").stdout)
    assert (told["without_keys"], told["running"], told["format"]) == (True, False, 1)


def test_a_restore_says_what_waits_and_what_to_do(cli, node, away):
    assert cli("backup", str(away / "b"), "--without-keys").exit_code == 0
    checked = cli("restore", "--dry-run", str(away / "b"), "--data", str(away / "no"), data=False)
    assert "is whole: " in checked.stdout
    assert not (away / "no").exists()
    result = cli("restore", str(away / "b"), "--data", str(away / "second"), data=False)
    assert result.exit_code == 0, result.output
    assert "2 recipients wait. The node stood still" in result.stdout
    assert "2 of them are held now: look with `angarium queue`" in result.stdout
    assert f"put your copy at {away}/second/identity/secrets.key" in result.stdout
    again = cli("restore", str(away / "b"), "--data", str(away / "second"), data=False)
    assert (again.exit_code, "there is something in" in again.stderr) == (1, True)
    sent = cli("restore", "--send", str(away / "b"), "--data", str(away / "third"), "--json", data=False)
    told = json.loads(sent.stdout)
    assert (told["recipients"], told["held"], told["problems"]) == (2, 0, [])


def test_what_was_never_a_backup(cli, away):
    result = cli("restore", str(away), "--data", str(away / "second"), data=False)
    assert result.exit_code == 1
    assert "there is no manifest.json in" in result.stderr
    assert not (away / "second").exists()


def test_a_running_nodes_mail_could_come_twice(cli, node, away):
    assert cli("backup", str(away / "b")).exit_code == 0
    manifest = away / "b/manifest.json"
    manifest.write_text(manifest.read_text().replace('"running": false', '"running": true'))
    result = cli("restore", "--send", str(away / "b"), "--data", str(away / "second"), data=False)
    assert "would be delivered twice: that is 2 recipients at most." in result.stdout
    assert "Their mail leaves when the node starts." in result.stdout


def test_commands_refuse_a_folder_whose_restore_has_not_finished(cli, tmp_path):
    (tmp_path / "restore-unfinished").touch()
    for command in (("init",), ("accounts", "list"), ("serve",)):
        result = cli(*command)
        assert (result.exit_code, "has not finished" in result.stderr) == (1, True), command


def test_a_store_in_postgresql_is_said_to_be_elsewhere(cli, node, away, tmp_path):
    config = tmp_path / "angarium.conf"
    config.write_text('Identity_Store = "postgresql://user:hunter2@db.example/identity"\n')
    result = cli("backup", str(away / "b"), "--config", str(config))
    assert "the identity store in postgresql://user:***@db.example/identity; pg_dump" in result.stdout
    assert "hunter2" not in (away / "b/manifest.json").read_text()
