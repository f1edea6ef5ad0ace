"""`angarium spool`: on a real spool, without a node."""

import asyncio
import json
import mailbox
import os
import stat
from pathlib import Path

import pytest

from angarium.core.ids import format_id
from angarium.spool.embedded import open_partition
from angarium.testing.spool import SMALL, SpoolDriver, make_message

BODY = b"Subject: hello\r\n\r\nhi\r\n"


def fill(data: Path, *messages):
    """Make a spool with these unfinished messages in the data folder."""

    async def accept():
        path = data / "spool" / "p0"
        path.parent.mkdir()
        spool = open_partition(path, asyncio.get_running_loop(), SMALL)
        spool.recover()
        for message in messages:
            assert await SpoolDriver(spool).accept(message, BODY) is None
        await spool.close()

    asyncio.run(accept())


@pytest.fixture
def message(tmp_path):
    """One unfinished message to two recipients in the data folder *tmp_path*."""
    message = make_message("a.example", "b.example", size=len(BODY))
    fill(tmp_path, message)
    return message


def test_a_whole_spool(cli, message):
    result = cli("spool", "check")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "no problems; 2 recipients to be served"
    document = json.loads(cli("spool", "check", "--json").stdout)
    assert (document["ok"], document["partitions"][0]["live"]) == (True, 1)


def test_a_damaged_spool_is_exit_code_1_with_each_problem(cli, tmp_path):
    fill(tmp_path, make_message(size=len(BODY)), make_message(size=len(BODY)))
    files = (tmp_path / "spool/p0/journal").iterdir()
    segment = next(file for file in files if BODY in file.read_bytes())
    data = bytearray(segment.read_bytes())
    place = data.index(b"hello")
    data[place : place + 5] = b"jello"
    segment.write_bytes(data)
    result = cli("spool", "check")
    assert result.exit_code == 1
    assert "1 damaged record" in result.stdout


def test_a_folder_without_a_spool_is_exit_code_1(cli):
    result = cli("spool", "check")
    assert result.exit_code == 1
    assert "there is no spool partition" in result.stderr


def test_unfinished_mail_as_mbox(cli, message, tmp_path):
    out = tmp_path / "out.mbox"
    result = cli("spool", "export", "--mbox", str(out))
    assert (result.exit_code, result.stdout) == (0, "1 message for 2 recipients written\n")
    (mail,) = mailbox.mbox(out)
    assert mail["Subject"] == "hello"
    assert mail.get_all("X-Angarium-Recipient") == ["<r0@a.example>", "<r1@b.example>"]


def test_unfinished_mail_on_standard_output(cli, message):
    result = cli("spool", "export", "--mbox", "-")
    assert result.stdout.startswith("From from@example.org ")
    assert result.stderr == "1 message for 2 recipients written\n"


def test_unfinished_mail_as_files(cli, message, tmp_path):
    out = tmp_path / "out"
    result = cli("spool", "export", "--eml", str(out), "--json")
    assert json.loads(result.stdout) == {"messages": 1, "recipients": 2, "failed": []}
    name = format_id(message.id)
    assert (out / f"{name}.eml").read_bytes() == BODY
    assert json.loads((out / f"{name}.json").read_text())["recipients"] == ["r0@a.example", "r1@b.example"]


def test_where_to_write_must_be_said(cli, message):
    assert cli("spool", "export").exit_code == 2


def test_a_file_that_cannot_be_written(cli, message, tmp_path):
    result = cli("spool", "export", "--mbox", str(tmp_path / "none" / "out"))
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


def test_an_export_is_for_its_owner_and_is_not_written_where_a_link_leads(cli, message, tmp_path):
    """Whoever exports is root more often than not, and the folder may be anybody's."""
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_bytes(b"mine")
    (tmp_path / "link").symlink_to(victim)
    result = cli("spool", "export", "--mbox", str(tmp_path / "link"))
    assert (result.exit_code, victim.read_bytes()) == (1, b"mine")
    assert "symbolic links" in result.stderr
    out.mkdir()
    name = format_id(message.id)
    (out / f"{name}.eml").symlink_to(victim)
    assert cli("spool", "export", "--eml", str(out)).exit_code == 0
    assert (victim.read_bytes(), (out / f"{name}.eml").read_bytes()) == (b"mine", BODY)
    existing = tmp_path / "existing"
    existing.touch(0o666)
    assert cli("spool", "export", "--mbox", str(existing)).exit_code == 0
    made = [existing, out / f"{name}.eml", out / f"{name}.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert cli("spool", "export", "--eml", str(tmp_path / "fresh")).exit_code == 0
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o700


def test_an_export_to_a_device_goes_there(cli, message):
    assert cli("spool", "export", "--mbox", os.devnull).exit_code == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
