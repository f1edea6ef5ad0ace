"""The key file and what is encrypted under it: whole or not at all, for its owner only, readable through a rotation."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from angarium.identity.errors import KeyRingError
from angarium.identity.secrets import CREDENTIAL_CONTEXT, DOMAIN_KEY_CONTEXT, KeyRing, key_of, new_secret
from angarium.identity.store import schema
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.testing.programs import PATIENCE_S

ME = "cli:root"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "identity" / "secrets.key"


def test_the_key_file_is_for_its_owner_only_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        ring = KeyRing.load_or_create(path)
        ring.rotate()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["secrets.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_file_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    KeyRing.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeyRingError, match=rf"by others \(mode {mode:04o}\); write `chmod 600 {path}`"):
        KeyRing.load_or_create(path)


def first_digit_changed(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([lines[0], ("0" if lines[1][0] != "0" else "1") + lines[1][1:]])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda text: "", "there is no key in it"),
        (lambda text: text.splitlines()[0], "there is no key in it"),
        (lambda text: text[:-10], "line 2 is not a key"),
        (lambda text: text[:-5] + "\n", "the key in line 2 does not fit its number"),
        (lambda text: text + "what is this\n", "line 3 is not a key"),
        (lambda text: text + "0011 AAAA\n", "the key in line 3 does not fit its number"),
        (first_digit_changed, "the key in line 2 does not fit its number"),
    ],
)
def test_a_damaged_key_file_is_refused_and_left_alone(
    path: Path, damage: Callable[[str], str], sentence: str
) -> None:
    KeyRing.load_or_create(path)
    damaged = damage(path.read_text())
    path.write_text(damaged)
    with pytest.raises(KeyRingError, match=f"is damaged: {sentence}; restore it from a copy"):
        KeyRing.load_or_create(path)
    assert path.read_text() == damaged


def test_something_else_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(KeyRingError, match=r"(is not a file; move it away|cannot be used: Is a directory)"):
        KeyRing.load_or_create(path)


def test_a_key_file_that_is_gone_is_asked_for(path: Path) -> None:
    ring = KeyRing.load_or_create(path)
    path.unlink()
    with pytest.raises(KeyRingError, match="is gone; restore it from a copy"):
        ring.rotate()
    assert not path.exists()


@given(st.binary(max_size=3000), st.binary(max_size=20))
def test_what_was_encrypted_comes_back(tmp_path_factory, clear: bytes, context: bytes) -> None:
    ring = KeyRing.load_or_create(tmp_path_factory.getbasetemp() / "shared" / "secrets.key")
    sealed = ring.seal(clear, context)
    assert ring.open(sealed, context) == clear
    assert key_of(sealed) == ring.key_ids[0]
    with pytest.raises(KeyRingError):
        ring.open(sealed, context + b"?")


@given(st.data())
def test_what_was_altered_does_not_open(tmp_path_factory, data: st.DataObject) -> None:
    ring = KeyRing.load_or_create(tmp_path_factory.getbasetemp() / "shared" / "secrets.key")
    sealed = ring.seal(b"hunter2", b"credential")
    at = data.draw(st.integers(0, len(sealed) - 1))
    altered = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    for wrong in (altered, sealed[:at]):
        with pytest.raises(KeyRingError) as raised:
            ring.open(wrong, b"credential")
        assert "hunter2" not in str(raised.value)


def test_the_keys_are_in_no_text(path: Path) -> None:
    ring = KeyRing.load_or_create(path)
    key = path.read_text().split()[-1]
    assert repr(ring) == f"KeyRing('{path}', 1 keys)"
    assert key not in repr(vars(ring))


def test_a_value_under_an_unknown_key_names_it(path: Path, tmp_path: Path) -> None:
    ring, other = KeyRing.load_or_create(path), KeyRing.load_or_create(tmp_path / "other.key")
    sealed = other.seal(b"x", b"")
    with pytest.raises(
        KeyRingError, match=f"under key {key_of(sealed).hex()}, which is not in {path}; put the key file"
    ):
        ring.open(sealed, b"")


def test_a_ring_learns_of_keys_that_another_process_made_and_keeps_those_it_has_seen(path: Path) -> None:
    ring, other = KeyRing.load_or_create(path), KeyRing.load_or_create(path)
    old = ring.seal(b"old", b"")
    other.rotate()
    new = other.seal(b"new", b"")
    assert ring.open(new, b"") == b"new"
    other.drop(other.key_ids[1:])
    ring.refresh()
    assert ring.open(old, b"") == b"old"  # read from the store before the rotation was through
    with pytest.raises(KeyRingError, match="which is not in"):
        KeyRing.load_or_create(path).open(old, b"")


def test_the_newest_key_is_never_dropped(path: Path) -> None:
    ring = KeyRing.load_or_create(path)
    ring.rotate()
    ring.drop(ring.key_ids)
    assert len(ring.key_ids) == 1
    assert KeyRing.load_or_create(path).key_ids == ring.key_ids


_CREATE = """
import sys
from pathlib import Path
from angarium.identity.secrets import KeyRing
sys.stdin.readline()
ring = KeyRing.load_or_create(Path(sys.argv[1]))
if sys.argv[2] == "rotate":
    ring.rotate()
print(ring.key_ids[0].hex())
"""


@pytest.mark.process
@pytest.mark.parametrize(("job", "keys"), [("create", 1), ("rotate", 5)])
def test_processes_that_use_the_file_at_once_lose_no_key(path: Path, job: str, keys: int) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _CREATE, path, job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    newest = {process.communicate(timeout=PATIENCE_S)[0].strip() for process in started}
    kept = {key.hex() for key in KeyRing.load_or_create(path).key_ids}
    assert newest <= kept
    assert len(kept) == keys


@pytest.mark.parametrize("kind", ["smtp_token", "smtp_login"])
def test_no_program_takes_a_secret_for_an_option(kind: Literal["smtp_token", "smtp_login"]) -> None:
    assert not any(new_secret(kind).startswith("-") for _ in range(2000))


def clear_texts(database: Database, ring: KeyRing) -> list[bytes]:
    """Return every secret of the store, decrypted. Raises KeyRingError when one cannot be."""
    with database.reading() as connection:
        return [
            ring.open(row, context)
            for table, context in (
                (schema.credentials, CREDENTIAL_CONTEXT),
                (schema.domain_keys, DOMAIN_KEY_CONTEXT),
            )
            for row in connection.execute(
                select(table.c.sealed).where(table.c.sealed.is_not(None)).order_by(table.c.id)
            ).scalars()
        ]


@pytest.fixture
def secrets(store: IdentityStore, database: Database, ring: KeyRing) -> list[bytes]:
    """Some encrypted secrets, and one login that has none."""
    account = store.accounts.create("acme", actor=ME).id
    server = store.servers.create(account, "shop", actor=ME).id
    for number in range(3):
        store.credentials.create_smtp_login(server, f"login {number}", challenge=number < 2, actor=ME)
    store.domains.create(account, "example.com", actor=ME)
    return clear_texts(database, ring)


def test_a_rotation_encrypts_everything_anew_and_drops_the_old_key(
    store: IdentityStore, database: Database, ring: KeyRing, secrets: list[bytes]
) -> None:
    old = ring.key_ids
    ring.rotate()
    told: list[tuple[int, int]] = []
    assert store.secrets.rotate(ring, actor=ME, progress=lambda done, total: told.append((done, total))) == 4
    assert told == [(0, 4), (2, 4), (4, 4)]
    fresh = KeyRing.load_or_create(ring.path)
    assert clear_texts(database, fresh) == secrets
    assert len(fresh.key_ids) == 1
    assert not set(fresh.key_ids) & set(old)
    assert store.secrets.rotate(ring, actor=ME) == 0


def test_old_keys_are_kept_where_other_nodes_need_them(
    store: IdentityStore, ring: KeyRing, secrets: list[bytes]
) -> None:
    ring.rotate()
    store.secrets.rotate(ring, actor=ME, keep_old=True)
    assert len(KeyRing.load_or_create(ring.path).key_ids) == 2
    store.secrets.rotate(ring, actor=ME)
    assert len(KeyRing.load_or_create(ring.path).key_ids) == 1


def test_many_secrets_are_rotated_in_batches(
    store: IdentityStore,
    database: Database,
    ring: KeyRing,
    secrets: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("angarium.identity.store.rotation._BATCH", 1)
    ring.rotate()
    before = store.generation()
    assert store.secrets.rotate(ring, actor=ME) == 4
    assert store.generation() == before + 5  # one by one, and the old key
    assert clear_texts(database, KeyRing.load_or_create(ring.path)) == secrets


def test_a_login_made_by_a_process_with_the_old_key_in_memory_is_readable(
    store: IdentityStore, database: Database, clock, ring: KeyRing, secrets: list[bytes]
) -> None:
    other = KeyRing.load_or_create(ring.path)
    other.rotate()
    IdentityStore(database, other, clock.now).secrets.rotate(other, actor=ME)
    _, secret = store.credentials.create_smtp_login(1, "late", challenge=True, actor=ME)
    assert secret.encode() in clear_texts(database, KeyRing.load_or_create(ring.path))


def rotate_until(number: int, url: str, path: Path) -> bool:
    """Rotate in a process that is killed before its step *number*; whether it came to the end before that."""
    child = os.fork()
    if child == 0:
        steps = iter(range(number))

        def step(*_: object) -> None:
            if next(steps, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        database = open_database(url)
        for what in ("before_cursor_execute", "commit"):
            event.listen(database.engine, what, step)
        sys.addaudithook(
            lambda name, _: step() if name in ("os.rename", "os.remove", "fcntl.flock") else None
        )
        ring = KeyRing.load_or_create(path)
        ring.rotate()
        IdentityStore(database, ring, lambda: 0.0).secrets.rotate(ring, actor=ME)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.process
def test_a_rotation_killed_at_any_step_leaves_everything_readable(
    store: IdentityStore, database: Database, url: str, ring: KeyRing, secrets: list[bytes]
) -> None:
    number = 0
    while not rotate_until(number, url, ring.path):
        assert clear_texts(database, KeyRing.load_or_create(ring.path)) == secrets
        number += 1
    assert number > 25
    assert clear_texts(database, KeyRing.load_or_create(ring.path)) == secrets
    assert len(KeyRing.load_or_create(ring.path).key_ids) == 1
    left = [name for name in os.listdir(ring.path.parent) if not re.match(r"identity\.db", name)]
    assert left == ["secrets.key"]  # no key is left behind in a file that was being written
