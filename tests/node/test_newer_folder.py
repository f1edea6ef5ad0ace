"""A folder that a newer Angarium has written: one sentence and an end, by whoever opens it, and nothing touched."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest

from angarium.spool.codec import frame
from angarium.spool.disk import RealDisk
from angarium.spool.files.reader import opened_log
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process


@pytest.fixture
def stopped(tmp_path):
    """A node that has been there, and its folder."""
    with Node(workers=2, folder=tmp_path) as node:
        node.program.stop()
        yield node


def newer_store(data: Path) -> None:
    with closing(sqlite3.connect(data / "spool" / "p1" / "settled.db")) as store:
        store.execute("PRAGMA user_version = 99")


def newer_record(data: Path) -> None:
    partition = data / "spool" / "p1"
    with opened_log(partition, RealDisk()) as (log, _):
        segment = log.from_generation(0)[-1]
        *_, end = log.scan_of(segment).read(0, None)
    head = frame(1, 0, b"\x90", b"", segment.generation, segment.salt, end.offset, end.offset)
    start = head[:25] + bytes((99,)) + head[26:28]
    check = crc32(start, (segment.salt + end.offset) & 0xFFFFFFFF).to_bytes(4, "little")
    with open(segment.path, "r+b") as file:
        file.seek(end.offset)
        file.write(start + check + b"\x90")


def newer_identities(data: Path) -> None:
    with closing(sqlite3.connect(data / "identity" / "identity.db")) as store, store:
        store.execute("UPDATE alembic_version SET version_num = 'of 2030' WHERE version_num LIKE '0%'")


def angarium(*words):
    """Run a command; return its exit status and what it said on standard error, without the log."""
    done = subprocess.run([ANGARIUM, *words], capture_output=True, text=True, timeout=PATIENCE_S)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    return done.returncode, lines


@pytest.mark.parametrize("make_newer", [newer_store, newer_record])
def test_serve_and_spool_check_say_one_sentence_and_end(stopped, make_newer):
    make_newer(stopped.data)
    before = {path: path.read_bytes() for path in stopped.data.glob("spool/p1/journal/*")}
    for words in (
        ("serve", "--config", stopped.config_file, "--data", stopped.data, "--workers", "2"),
        ("spool", "check", "--data", stopped.data),
        ("spool", "export", "--mbox", "-", "--data", stopped.data),
    ):
        status, (line,) = angarium(*words)
        assert status == 1
        assert "has format 99, which a newer Angarium has written" in line
        assert line.endswith("start that version, or restore the data folder from before the upgrade")
    assert {path: path.read_bytes() for path in before} == before


def test_so_does_serve_with_an_identity_store_of_a_newer_one(stopped):
    newer_identities(stopped.data)
    status, lines = angarium("serve", "--config", stopped.config_file, "--data", stopped.data)
    assert status == 1
    assert lines[0].startswith(
        "angarium: the identity store was made by a newer Angarium: start that version"
    )
