"""The work that a hash of a password takes: what a node does, and not the little that other tests do."""

import pytest

from angarium.identity.secrets import hash_password, verify_password


@pytest.mark.usefixtures("strong_passwords")
def test_a_password_is_hashed_with_the_memory_and_the_work_that_the_standard_recommends():
    """RFC 9106, section 4: the second recommended option, 64 MiB in three passes over four lanes."""
    stored = hash_password("correct horse")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert verify_password(stored, "correct horse")
    assert not verify_password(stored, "battery staple")


def test_a_hash_is_checked_with_the_work_that_it_was_made_with(strong_passwords, monkeypatch):
    stored = hash_password("correct horse")
    monkeypatch.undo()
    assert verify_password(stored, "correct horse")
