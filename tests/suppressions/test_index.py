"""The file that workers map: it has what was written, and one that is torn is no file."""

import os
from hashlib import blake2b
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.spool.disk import RealDisk
from angarium.suppressions.address import entry_bytes, entry_of, prefix_of, tag_of
from angarium.suppressions.index.file import Damaged, MappedIndex, Stamp, merged, write_index
from angarium.testing.disk import FAILURES, FailingDisk, Failure

STAMP = Stamp("0123456789abcdef", 7, 1_795_262_400.0)

entries = st.sets(
    st.one_of(
        st.binary(min_size=8, max_size=8),
        # the same bytes again and again, so that what is looked for stands across entries, too
        st.lists(st.sampled_from([b"\0", b"\1", b"\xff"]), min_size=8, max_size=8).map(b"".join),
    ),
    max_size=60,
)


def written(path: Path, entries: set[bytes], about: int | None = None) -> MappedIndex:
    pieces = [b"".join(sorted(entries))] if entries else []
    write_index(path, STAMP, len(entries) if about is None else about, pieces, RealDisk())
    return MappedIndex(path)


def listed(index: MappedIndex) -> list[bytes]:
    return [index.entry(at) for at in range(index.count)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index") / "index"


@given(entries, st.binary(min_size=8, max_size=8), st.sampled_from([0, 100_000]))
@settings(max_examples=60)
def test_it_has_what_was_written_and_nothing_else(
    path: Path, there: set[bytes], other: bytes, about: int
) -> None:
    index = written(path, there, about)
    assert (index.stamp, index.count, listed(index)) == (STAMP, len(there), sorted(there))
    for entry in [*there, other, other[:5] + b"\0\1\xff"]:
        assert index.has(entry) == (entry in there)
        assert index.has(entry[:5]) == any(each[:5] == entry[:5] for each in there)
        assert index.position(entry) == sum(each < entry for each in there)


@given(entries, entries, entries)
@settings(max_examples=60)
def test_changes_are_put_in_their_places(
    path: Path, there: set[bytes], come: set[bytes], gone: set[bytes]
) -> None:
    base = written(path, there)
    touched = sorted(come | gone)
    write_index(path, STAMP, len(there), merged(base, touched, come), RealDisk())
    assert listed(MappedIndex(path)) == sorted((there - gone) | come)
    assert listed(base) == sorted(there)  # whoever has mapped the old one has it still


def test_an_address_is_found_for_its_lists_only(path: Path) -> None:
    ours = entry_bytes(entry_of(1, "*", "ann@example.com"))
    index = written(path, {ours, *(entry_bytes(entry_of(2, "*", f"{n}@x.example")) for n in range(1_000))})
    prefix = prefix_of("ann@example.com")
    assert index.has(prefix)
    assert index.has(prefix + tag_of(1, "*"))
    assert not index.has(prefix + tag_of(2, "*"))
    assert not index.has(prefix_of("bob@example.com"))


@pytest.mark.parametrize("at", [0, 9, 130, -1])
def test_a_byte_that_is_another_is_seen(path: Path, at: int) -> None:
    written(path, {bytes([n] * 8) for n in range(50)})
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged):
        MappedIndex(path)


@pytest.mark.parametrize("size", [0, 100, 2_000])
def test_a_file_that_is_not_whole_is_seen(path: Path, size: int) -> None:
    whole = written(path, {blake2b(bytes([n]), digest_size=8).digest() for n in range(200)})
    assert whole.size_bytes > size
    os.truncate(path, size)
    with pytest.raises(Damaged):
        MappedIndex(path)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_write_that_fails_leaves_the_old_file_or_the_new_one_or_none_that_is_believed(
    tmp_path: Path, failure: Failure
) -> None:
    old, new = {bytes([n] * 8) for n in range(20)}, {bytes([n] * 8) for n in range(40)}
    at, finished = 0, False
    while not finished:
        at += 1
        path = tmp_path / f"{at}" / "index"
        path.parent.mkdir()
        written(path, old)
        disk = FailingDisk(failure, at, seed=at)
        try:
            write_index(path, STAMP, len(new), [b"".join(sorted(new))], disk)
            finished = True
        except OSError:
            if failure == "power":
                disk.cut_power()
        disk.release()
        try:
            found = set(listed(MappedIndex(path)))
        except Damaged:
            assert failure == "power"
        else:
            assert found == new if finished else found in (old, new)
    assert at > 4


def test_entries_come_in_any_pieces(tmp_path: Path) -> None:
    there = sorted({Random(1).randbytes(8) for _ in range(1)} | {Random(n).randbytes(8) for n in range(500)})
    write_index(tmp_path / "index", STAMP, 500, iter(there), RealDisk())
    assert listed(MappedIndex(tmp_path / "index")) == there
