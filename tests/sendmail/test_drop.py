"""The drop folder: what is put in whole comes out once, and nobody leads the node elsewhere by it."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.sendmail.drop import MOST_BYTES, Collected, collect, put, waiting
from angarium.sendmail.errors import NoAnswer, NotNow, NotSent
from angarium.sendmail.posting import BadPosting, Posting, decode_posting

MAIL = Posting("me@example.org", ("you@example.com",), b"Subject: x\r\n\r\nhello\r\n", "NEVER", "HDRS", "id")


def test_what_is_put_in_comes_out_and_is_gone(tmp_path: Path) -> None:
    path = put(tmp_path, MAIL)
    handed: list[Posting] = []
    assert waiting(tmp_path) == [path]
    assert collect(path, handed.append) == Collected(path.name)
    assert handed == [MAIL]
    assert list(tmp_path.iterdir()) == []


def test_the_node_may_read_it_whoever_put_it_in(tmp_path: Path) -> None:
    assert stat.S_IMODE(put(tmp_path, MAIL).stat().st_mode) == 0o644


def test_what_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = put(tmp_path, MAIL)
    path.chmod(0o200)
    assert waiting(tmp_path) == []


def test_what_nobody_has_finished_for_a_day_is_taken_away(tmp_path: Path) -> None:
    path = put(tmp_path, MAIL)
    path.chmod(0o200)
    os.utime(path, (0, 0))
    assert waiting(tmp_path) == []
    assert not path.exists()


def test_the_oldest_goes_first(tmp_path: Path) -> None:
    paths = [put(tmp_path, MAIL) for _ in range(3)]
    for age, path in enumerate(paths):
        os.utime(path, (1000 - age, 1000 - age))
    assert waiting(tmp_path) == paths[::-1]


def test_what_the_node_does_not_take_now_stays(tmp_path: Path) -> None:
    path = put(tmp_path, MAIL)

    def full(posting: Posting) -> None:
        raise NotNow("452 no room")

    assert collect(path, full) == Collected(path.name, "452 no room", stays=True)
    assert waiting(tmp_path) == [path]


def test_what_is_not_taken_for_days_is_set_aside(tmp_path: Path) -> None:
    path = put(tmp_path, MAIL)
    os.utime(path, (0, 0))

    def full(posting: Posting) -> None:
        raise NotNow("452 too many recipients")

    assert collect(path, full) == Collected(path.with_suffix(".refused").name, "452 too many recipients")


def test_a_node_that_does_not_answer_says_nothing_of_a_mail(tmp_path: Path) -> None:
    path = put(tmp_path, MAIL)
    os.utime(path, (0, 0))

    def nobody(posting: Posting) -> None:
        raise NoAnswer("no node")

    assert collect(path, nobody) == Collected(path.name, "no node", stays=True, answered=False)
    assert waiting(tmp_path) == [path]


def test_what_no_node_would_read_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="larger than"):
        put(tmp_path, MAIL._replace(text=bytes(MOST_BYTES)))
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused_is_set_aside(tmp_path: Path) -> None:
    path = put(tmp_path, MAIL)

    def refuse(posting: Posting) -> None:
        raise NotSent("550 no", 69)

    name = path.with_suffix(".refused").name
    assert collect(path, refuse) == Collected(name, "550 no")
    assert waiting(tmp_path) == []
    assert decode_posting((tmp_path / name).read_bytes()) == MAIL


def lay(kind: str, path: Path, secret: Path) -> None:
    if kind == "a symbolic link":
        path.symlink_to(secret)
    elif kind == "a hard link":
        path.hardlink_to(secret)
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"something else")


@pytest.mark.parametrize("kind", ["a symbolic link", "a hard link", "a pipe", "a folder", "no mail"])
def test_nobody_has_the_node_read_another_file(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(MAIL.encode())
    folder = tmp_path / "drop"
    folder.mkdir()
    lay(kind, folder / "laid.mail", secret)
    handed: list[Posting] = []
    for path in waiting(folder):
        assert collect(path, handed.append).problem
    assert handed == []
    assert waiting(folder) == []


def test_without_a_folder_the_mail_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(NotNow, match=r"cannot leave the mail in .*nowhere: no such file or directory"):
        put(tmp_path / "nowhere", MAIL)


words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), max_size=20)


@given(words, st.lists(words, min_size=1, max_size=3), st.binary(max_size=50))
def test_a_file_says_what_was_put_in(sender: str, recipients: list[str], text: bytes) -> None:
    posting = Posting(sender, tuple(recipients), text)
    assert decode_posting(posting.encode()) == posting


@given(st.binary(max_size=100) | st.from_regex(rb'\A\{"version": 1, "sender": .*\}\n'))
def test_any_other_file_is_told_from_one(data: bytes) -> None:
    try:
        found = decode_posting(data)
    except BadPosting:
        return
    assert all(isinstance(word, str) and word.isprintable() for word in (found.sender, *found.recipients))
