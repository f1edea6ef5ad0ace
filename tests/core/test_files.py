"""Files and folders of ours are for their owner alone whatever the umask, durable, and not where a link leads."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.core.files import Ballast, bind_unix, create_anew, make_folder, open_own, replace_file


@pytest.fixture(autouse=True)
def open_handed() -> Iterator[None]:
    """A umask that takes nothing away."""
    mask = os.umask(0)
    yield
    os.umask(mask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_folder_is_for_its_owner_and_each_new_name_is_durable(tmp_path: Path) -> None:
    synced: list[Path] = []
    folder = tmp_path / "a" / "b" / "c"
    make_folder(folder, synced.append)
    assert [mode(path) for path in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(folder, synced.append)
    assert len(synced) == 3


def test_what_is_there_stays_as_it_is_and_must_be_a_folder(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir(mode=0o750)
    file.touch()
    make_folder(folder)
    assert mode(folder) == 0o750
    with pytest.raises(FileExistsError):
        make_folder(file)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_bytes(b"mine")
    link.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        open_own(link, os.O_RDWR | os.O_CREAT)
    replace_file(link, b"ours")
    assert (victim.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"mine", b"ours", False)


def test_a_link_in_place_of_the_temporary_file_is_not_followed_either(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / ".file.new").symlink_to(victim)
    replace_file(tmp_path / "file", b"ours")
    assert victim.read_bytes() == b"mine"


def test_a_file_is_for_its_owner_also_in_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o666)
    os.close(create_anew(path))
    assert mode(path) == 0o600
    replace_file(path, b"x", 0o644)
    assert mode(path) == 0o644


def test_a_socket_has_its_mode_and_the_process_its_umask(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        bind_unix(sock, str(tmp_path / "socket"), 0o660)
    assert mode(tmp_path / "socket") == 0o660
    assert os.umask(0) == 0


def test_ballast_takes_room_until_it_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "ballast"
    ballast = Ballast(path, 100_000)
    ballast.keep()
    ballast.keep()
    assert path.stat().st_blocks * 512 >= 100_000
    ballast.drop()
    ballast.drop()
    assert not path.exists()


def test_ballast_without_room_leaves_nothing_and_is_no_error(tmp_path: Path) -> None:
    Ballast(tmp_path / "ballast", 1 << 60).keep()
    Ballast(tmp_path / "no folder" / "ballast", 1).keep()
    assert list(tmp_path.iterdir()) == []
