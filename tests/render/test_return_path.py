"""Addresses that mail comes back to: short, signed, read back in any case, and by nobody else to be made."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from angarium.core.ids import MessageId, new_id
from angarium.identity.secrets import KeyRing
from angarium.render.return_path import MOST_INDEX, PURPOSE, Returned, ReturnKind, SignedReturnPaths

KEY, OTHER = b"k" * 32, b"o" * 32
PATHS = SignedReturnPaths(lambda: (KEY,))
ID = new_id(1_900_000_000.0)

KINDS = st.sampled_from(["bounce", "unsubscribe"])
IDS = st.binary(min_size=16, max_size=16).map(MessageId)
INDICES = st.integers(0, MOST_INDEX)


@given(KINDS, IDS, INDICES)
def test_what_is_written_is_read_in_any_case(kind: ReturnKind, message: MessageId, index: int) -> None:
    address = PATHS.address(kind, message, index, "bounces.example.com")
    assert re.fullmatch(r"[bu]-[a-z2-7]{48}@bounces\.example\.com", address)
    for spelled in (address, address.upper(), address.title()):
        assert PATHS.read(spelled) == Returned(kind, message, index)


@given(st.integers(0, 49), st.sampled_from("abcxyz234567-"))
def test_an_altered_one_is_read_by_nobody(at: int, char: str) -> None:
    address = PATHS.address("bounce", ID, 3, "b.test")
    altered = address[:at] + char + address[at + 1 :]
    assert PATHS.read(altered) == (Returned("bounce", ID, 3) if altered == address else None)


@given(st.text(max_size=80))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert PATHS.read(text) is None
    assert PATHS.read(f"b-{text:x<48.48}@b.test") is None


def test_it_holds_under_its_domain_and_for_its_purpose_alone() -> None:
    local, _, _ = PATHS.address("bounce", ID, 3, "b.test").partition("@")
    assert PATHS.read(f"{local}@other.test") is None
    assert PATHS.read(f"u{local[1:]}@b.test") is None
    assert SignedReturnPaths(lambda: (OTHER,)).read(f"{local}@b.test") is None


def test_the_newest_key_signs_and_the_older_ones_are_believed(tmp_path: Path) -> None:
    ring = KeyRing.load_or_create(tmp_path / "secrets.key")
    paths = SignedReturnPaths(lambda: ring.all_derived(PURPOSE))
    before = paths.address("bounce", ID, 0, "b.test")
    ring.rotate()
    after = paths.address("bounce", ID, 0, "b.test")
    assert before != after
    ring.drop(ring.key_ids[1:])
    for address in (before, after):  # what was known when the program began is known until it ends
        assert paths.read(address) == Returned("bounce", ID, 0)
    again = KeyRing.load_or_create(tmp_path / "secrets.key")
    began_later = SignedReturnPaths(lambda: again.all_derived(PURPOSE))
    assert (began_later.read(before), began_later.read(after)) == (None, Returned("bounce", ID, 0))


def test_it_is_known_when_the_message_was_accepted() -> None:
    found = PATHS.read(PATHS.address("bounce", ID, 0, "b.test"))
    assert found is not None
    assert found.made_at == 1_900_000_000.0
