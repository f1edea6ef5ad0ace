"""What is in a backup, what is taken for one, and what becomes of one that is broken off at any moment."""

import asyncio
import json
import os
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from angarium.backup.copier import Pace
from angarium.backup.errors import BackupError
from angarium.backup.hold import hold_all
from angarium.backup.make import Source, make_backup
from angarium.backup.manifest import NAME, Manifest
from angarium.backup.restore import check_backup, restore
from angarium.backup.unfinished import MARK, refuse_unfinished
from angarium.config.load import load_config
from angarium.core.records import Message
from angarium.spool.embedded import open_partition
from angarium.spool.files.cursors import write_cursor
from angarium.spool.offline.export import unfinished_mail
from angarium.spool.offline.survey import partitions
from angarium.testing.spool import SMALL, SpoolDriver, make_content, make_message
from angarium.tls.server.own import own_pair

BODY = b"Subject: hello\r\n\r\nhi\r\n"
NO_LIMIT = Pace(None)
FORMAT_1 = Path(__file__).parents[1] / "spool" / "format_1" / "spool.tar.gz"


class Cut(BaseException):
    """The process is gone."""


def fill(data: Path) -> list[Message]:
    """Make a spool with mail in the journal, in the store, with a large body and a shared content."""
    shared = make_content(BODY)
    live = make_message("live.example", size=len(BODY))
    settled = make_message("settled.example", "two.example", size=len(BODY))
    large = make_message("large.example", size=100_000)
    sharing = make_message("sharing.example", content=shared.content.id)
    ended = make_message("ended.example", size=len(BODY))

    async def accept() -> None:
        path = data / "spool" / "p0"
        path.mkdir(parents=True)
        spool = open_partition(path, asyncio.get_running_loop(), SMALL)
        spool.recover()
        driver = SpoolDriver(spool)
        assert await driver.accept(live, BODY) is None
        assert await driver.accept(settled, BODY, settled=True) is None
        body = spool.large_body(large.id)
        await body.write(bytes(100_000))
        assert await driver.accept(large, await body.finish()) is None
        assert await driver.accept_all((sharing, b""), content=shared) is None
        (recipient,) = await driver.take(ended, BODY)
        await driver.tell(recipient, "delivered")
        await spool.close()

    asyncio.run(accept())
    return [live, settled, large, sharing]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with keys, a database and mail."""
    data = tmp_path / "data"
    (data / "identity").mkdir(parents=True)
    (data / "identity/secrets.key").write_text("a key\n")
    with sqlite3.connect(data / "identity/identity.db") as database:
        database.executescript("PRAGMA journal_mode = WAL; CREATE TABLE x (y); INSERT INTO x VALUES (1);")
    return data


def source_of(data: Path, config: Path | None = None, *, with_keys: bool = True) -> Source:
    keys, database = data / "identity/secrets.key", data / "identity/identity.db"
    return Source(data, load_config(config), config, keys, database, with_keys=with_keys)


def back_up(source: Source, target: Path, progress: Callable[[str, int], None] = lambda *_: None) -> Manifest:
    return make_backup(source, target, NO_LIMIT, lambda _: None, progress)


def put_back(target: Path, data: Path, progress: Callable[[str, int], None] = lambda *_: None) -> Manifest:
    return restore(target, data, lambda _: None, progress)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mail(data: Path) -> dict[bytes, tuple[list[int], bytes]]:
    found = {}
    for unfinished, body in unfinished_mail(data / "spool"):
        assert isinstance(body, bytes)
        found[unfinished.message.id] = unfinished.indices, body
    return found


def test_what_is_restored_is_the_node(data: Path, tmp_path: Path) -> None:
    messages = fill(data)
    made = back_up(source_of(data), tmp_path / "b")
    assert not made.running
    put_back(tmp_path / "b", tmp_path / "second")
    second = tmp_path / "second"
    assert mail(second) == mail(data)
    assert set(mail(second)) == {message.id for message in messages}
    assert (second / "identity/secrets.key").read_text() == "a key\n"
    with sqlite3.connect(second / "identity/identity.db") as database:
        assert database.execute("SELECT y FROM x").fetchall() == [(1,)]
    assert hold_all(partitions(second / "spool"), SMALL, 0.0, "") == (5, 0)


def test_what_is_written_is_for_its_owner_alone(data: Path, tmp_path: Path) -> None:
    fill(data)
    os.umask(0o022)
    back_up(source_of(data), tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "second")
    for folder in (tmp_path / "b", tmp_path / "second"):
        for path in (folder, *folder.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_transaction_under_way_is_not_in_it_and_is_not_waited_for(data: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(data / "identity/identity.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO x VALUES (2)")
    back_up(source_of(data), tmp_path / "b")
    writer.execute("COMMIT")
    writer.close()
    with sqlite3.connect(tmp_path / "b/data/identity/identity.db") as database:
        assert database.execute("SELECT y FROM x").fetchall() == [(1,)]


def test_what_a_consumer_has_not_read_is_in_it_and_how_far_he_was(data: Path, tmp_path: Path) -> None:
    fill(data)
    write_cursor(data / "spool/p0/cursors", "recorder", -1)
    back_up(source_of(data), tmp_path / "b")
    assert (tmp_path / "b/data/spool/p0/cursors/recorder.cursor").read_text() == "-1\n"
    kept = {path.name for path in (tmp_path / "b/data/spool/p0/journal").iterdir()}
    assert kept == {path.name for path in (data / "spool/p0/journal").glob("*.seg")}
    assert list((data / "spool/p0/cursors").glob("*.pin")) == []


def test_files_that_the_configuration_names_are_in_it(data: Path, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "cert.pem").write_text("certificate and key")
    (etc / "more.conf").write_text(f'TLS_Certificate = "{etc}/cert.pem"\n')
    (etc / "angarium.conf").write_text('include "more.conf"\nHostname = "mx.example.com"\n')
    back_up(source_of(data, etc / "angarium.conf"), tmp_path / "b")
    manifest = put_back(tmp_path / "b", tmp_path / "second")
    assert manifest.configuration == f"elsewhere{etc}/angarium.conf"
    assert contents(tmp_path / f"second/elsewhere{etc}") == contents(etc)
    back_up(source_of(data, etc / "angarium.conf", with_keys=False), tmp_path / "b2")
    names = set(contents(tmp_path / "b2"))
    assert not any(name.endswith((".pem", ".key")) for name in names)
    assert f"elsewhere{etc}/angarium.conf" in names


def test_without_keys_the_nodes_own_certificate_is_left_out(data: Path, tmp_path: Path) -> None:
    own = own_pair(data)
    own.key.parent.mkdir()
    own.key.write_text("key")
    own.certificate.write_text("certificate")
    back_up(source_of(data, with_keys=False), tmp_path / "b")
    assert set(contents(tmp_path / "b")) == {"data/identity/identity.db", NAME}


def test_a_backup_that_is_broken_off_anywhere_leaves_none(data: Path, tmp_path: Path) -> None:
    fill(data)
    steps: list[str] = []
    back_up(source_of(data), tmp_path / "whole", lambda path, _: steps.append(path))
    assert len(steps) > 5
    for last in range(len(steps)):
        left = iter(range(last))

        def cut(_path: str, _count: int, left=left) -> None:
            if next(left, None) is None:
                raise Cut

        with pytest.raises(Cut):
            back_up(source_of(data), tmp_path / "b", cut)
        assert not (tmp_path / "b").exists()
        assert list((data / "spool/p0/cursors").glob("*.pin")) == []


def test_what_a_killed_backup_has_left_is_none_and_is_made_anew(data: Path, tmp_path: Path) -> None:
    left = tmp_path / "b.unfinished" / "data"
    left.mkdir(parents=True)
    (left / "old").write_text("old")
    with pytest.raises(BackupError, match="there is no manifest"):
        put_back(left.parent, tmp_path / "second")
    assert not (tmp_path / "second").exists()
    back_up(source_of(data), tmp_path / "b")
    assert not left.parent.exists()
    assert "data/old" not in contents(tmp_path / "b")


def test_a_restore_that_is_broken_off_anywhere_makes_no_node_and_can_be_done_again(
    data: Path, tmp_path: Path
) -> None:
    fill(data)
    back_up(source_of(data), tmp_path / "b")
    second, steps = tmp_path / "second", [0]
    put_back(tmp_path / "b", tmp_path / "other", lambda *_: steps.append(0))
    for last in range(len(steps) - 1):
        left = iter(range(last))

        def cut(_path: str, _count: int, left=left) -> None:
            if next(left, None) is None:
                raise Cut

        with pytest.raises(Cut):
            put_back(tmp_path / "b", second, cut)
        with pytest.raises(BackupError, match="has not finished"):
            refuse_unfinished(second)
    put_back(tmp_path / "b", second)
    refuse_unfinished(second)
    assert contents(second) == contents(tmp_path / "other")


def test_nothing_is_restored_over_something(data: Path, tmp_path: Path) -> None:
    back_up(source_of(data), tmp_path / "b")
    before = contents(data)
    with pytest.raises(BackupError, match="there is something in"):
        put_back(tmp_path / "b", data)
    assert contents(data) == before
    (tmp_path / "empty/lost+found").mkdir(parents=True)
    put_back(tmp_path / "b", tmp_path / "empty")
    assert not (tmp_path / "empty" / MARK).exists()


@pytest.mark.parametrize("change", [lambda old: old[:-1], lambda old: old + b"x", lambda old: b"X" + old[1:]])
def test_a_file_that_is_not_as_it_was_written_is_refused(
    change: Callable[[bytes], bytes], data: Path, tmp_path: Path
) -> None:
    back_up(source_of(data), tmp_path / "b")
    file = tmp_path / "b/data/identity/secrets.key"
    file.write_bytes(change(file.read_bytes()))
    said = r"data/identity/secrets\.key is not as it was written"
    with pytest.raises(BackupError, match=said):
        check_backup(tmp_path / "b", lambda *_: None)
    with pytest.raises(BackupError, match=said):
        put_back(tmp_path / "b", tmp_path / "second")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"format": 2, "angarium": "9.1"}, r"newer Angarium \(9\.1\) in format 2"),
        ({"journal_format": 3}, "with a spool of formats"),
        ({"store_format": 3}, "with a spool of formats"),
        ({"files": 1}, "is damaged"),
        ({"files": [{"path": "data/../../etc/passwd", "size": 0, "sha256": ""}]}, "tampered with"),
        ({"files": [{"path": "/etc/passwd", "size": 0, "sha256": ""}]}, "tampered with"),
        ({"files": [{"path": "etc/passwd", "size": 0, "sha256": ""}]}, "tampered with"),
        ({"files": [{"path": "data", "size": 0, "sha256": ""}]}, "tampered with"),
        ({"files": [{"path": "data//x", "size": 0, "sha256": ""}]}, "tampered with"),
        ({"files": [{"path": "data/x", "size": 0, "sha256": ""}] * 2}, "tampered with"),
    ],
)
def test_manifests_that_are_not_taken(
    fields: dict[str, object], said: str, data: Path, tmp_path: Path
) -> None:
    back_up(source_of(data), tmp_path / "b")
    manifest = json.loads((tmp_path / "b" / NAME).read_bytes())
    (tmp_path / "b" / NAME).write_text(json.dumps(manifest | fields))
    with pytest.raises(BackupError, match=said):
        put_back(tmp_path / "b", tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_a_symbolic_link_in_a_backup_is_not_followed(data: Path, tmp_path: Path) -> None:
    back_up(source_of(data), tmp_path / "b")
    file = tmp_path / "b/data/identity/secrets.key"
    shutil.move(file, tmp_path / "aside")
    file.symlink_to(tmp_path / "aside")
    with pytest.raises(BackupError, match="cannot be read"):
        put_back(tmp_path / "b", tmp_path / "second")


def test_where_a_backup_is_not_made(data: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    for target, said in (
        (tmp_path / "full", "something in"),
        (data / "b", "in the data folder itself"),
    ):
        with pytest.raises(BackupError, match=said):
            back_up(source_of(data), target)
    with pytest.raises(BackupError, match="there is no data folder"):
        back_up(source_of(tmp_path / "nowhere"), tmp_path / "b")


def test_a_pace_is_kept_in_the_long_run() -> None:
    now = [0.0]
    pace = Pace(100.0, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    for _ in range(10):
        pace.spend(50)
    assert now[0] == 5.0
    now[0] = 20.0
    pace.spend(1500)
    assert now[0] == 20.0


def test_what_would_expire_at_the_start_is_counted(data: Path, tmp_path: Path) -> None:
    messages = fill(data)
    back_up(source_of(data), tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "second")
    last = messages[1].received_at
    aging = replace(SMALL, expires_at=lambda each: each.message.received_at + 100)
    there = partitions(tmp_path / "second/spool")
    assert hold_all(there, aging, last + 100, "a note") == (5, 3)
    assert hold_all(there, aging, last + 100, "a note") == (0, 0)


def test_a_backup_of_an_older_format_is_restored(tmp_path: Path) -> None:
    spool = tmp_path / "data/spool"
    spool.mkdir(parents=True)
    with tarfile.open(FORMAT_1) as archive:
        archive.extractall(spool, filter="data")
    expected = json.loads((spool / "expected.json").read_bytes())
    (spool / "expected.json").unlink()
    old = mail(tmp_path / "data")
    back_up(source_of(tmp_path / "data"), tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "second")
    assert mail(tmp_path / "second") == old
    held = hold_all(partitions(tmp_path / "second/spool"), SMALL, 0.0, "")
    queued = [
        each["state"] == "queued"
        for message in expected.values()
        for each in message["recipients"].values()
        if message["fate"] == "deliver"
    ]
    assert held.recipients == sum(queued)
    assert mail(tmp_path / "second") == old


def test_a_consumer_who_goes_on_reading_meanwhile_has_read_as_far_as_before(
    data: Path, tmp_path: Path
) -> None:
    fill(data)
    cursors = data / "spool/p0/cursors"
    write_cursor(cursors, "recorder", -1)

    def read_on(path: str, _count: int) -> None:
        write_cursor(cursors, "recorder", 1 << 40)

    back_up(source_of(data), tmp_path / "b", read_on)
    assert (tmp_path / "b/data/spool/p0/cursors/recorder.cursor").read_text() == "-1\n"
