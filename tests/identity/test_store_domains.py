"""Sending domains: keys are made, found in the DNS, replaced and retired."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from angarium.identity.domains.keys import after_check, selectors
from angarium.identity.records import Domain, DomainKey
from angarium.identity.secrets import DOMAIN_KEY_CONTEXT, KeyRing
from angarium.identity.store import schema
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, NotFound

ME = "cli:root"
AT = 1_795_262_400.0  # 2026-11-21


@pytest.fixture
def domain(store: IdentityStore) -> Domain:
    return store.domains.create(store.accounts.create("acme", actor=ME).id, "Example.COM.", actor=ME)


def states(domain: Domain) -> list[str]:
    return [f"{key.selector} {key.state}" for key in domain.keys]


def test_a_domain_begins_with_two_pending_keys(store: IdentityStore, domain: Domain) -> None:
    assert (domain.name, domain.return_path) == ("example.com", "bounces.example.com")
    assert (domain.enabled, domain.verified_at, domain.checked_at) == (True, None, None)
    assert states(domain) == ["ang20261121ar pending", "ang20261121ae pending"]
    assert store.domains.get(domain.id) == store.domains.get((domain.account, "EXAMPLE.com")) == domain
    assert store.domains.page() == store.domains.page(domain.account) == [domain]
    assert store.domains.page(after=domain.id) == []


def test_two_accounts_with_one_domain_publish_under_different_names(
    store: IdentityStore, domain: Domain
) -> None:
    """Else each would overwrite the other's records, and neither could be verified beside the other."""
    second = store.domains.create(store.accounts.create("second", actor=ME).id, "example.com", actor=ME)
    assert not {key.selector for key in domain.keys} & {key.selector for key in second.keys}


def test_the_private_halves_fit_and_are_encrypted(
    store: IdentityStore, database: Database, ring: KeyRing, domain: Domain
) -> None:
    with database.reading() as connection:
        query = select(schema.domain_keys.c.sealed).order_by(schema.domain_keys.c.id)
        sealed = connection.execute(query).scalars().all()
    rsa, ed25519 = [load_der_private_key(ring.open(each, DOMAIN_KEY_CONTEXT), None) for each in sealed]
    assert isinstance(rsa, RSAPrivateKey)
    assert isinstance(ed25519, Ed25519PrivateKey)
    told = [base64.b64decode(key.public) for key in domain.keys]
    assert (rsa.key_size, load_der_public_key(told[0])) == (2048, rsa.public_key())
    assert told[1] == ed25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def test_a_key_that_is_found_signs(store: IdentityStore, domain: Domain) -> None:
    rsa, ed25519 = domain.keys
    checked = store.domains.mark_checked(domain.id, {rsa.id: True, ed25519.id: False}, AT + 1)
    assert states(checked) == ["ang20261121ar active", "ang20261121ae pending"]
    assert (checked.verified_at, checked.checked_at, checked.keys[0].verified_at) == (AT + 1, AT + 1, AT + 1)


def test_a_question_without_an_answer_changes_nothing(store: IdentityStore, domain: Domain) -> None:
    checked = store.domains.mark_checked(domain.id, {key.id: True for key in domain.keys}, AT + 1)
    again = store.domains.mark_checked(domain.id, {}, AT + 2)
    assert (again.keys, again.verified_at, again.checked_at) == (checked.keys, AT + 1, AT + 2)


def test_a_return_path_counts_while_it_leads_here(store: IdentityStore, domain: Domain) -> None:
    assert domain.return_path_seen_at is None
    assert store.domains.mark_checked(domain.id, {}, AT + 1, return_path=True).return_path_seen_at == AT + 1
    assert store.domains.mark_checked(domain.id, {}, AT + 2).return_path_seen_at == AT + 1  # nobody answered
    assert store.domains.mark_checked(domain.id, {}, AT + 3, return_path=False).return_path_seen_at is None
    store.domains.mark_checked(domain.id, {}, AT + 4, return_path=True)
    assert store.domains.change(domain.id, return_path="b", actor=ME).return_path_seen_at is None


def test_a_domain_whose_records_are_gone_is_not_verified(store: IdentityStore, domain: Domain) -> None:
    rsa, ed25519 = domain.keys
    store.domains.mark_checked(domain.id, {rsa.id: True, ed25519.id: True}, AT + 1)
    one_left = store.domains.mark_checked(domain.id, {rsa.id: False}, AT + 2)
    assert (one_left.verified_at, states(one_left)) == (
        AT + 1,
        ["ang20261121ar pending", "ang20261121ae active"],
    )
    gone = store.domains.mark_checked(domain.id, {rsa.id: False, ed25519.id: False}, AT + 3)
    assert gone.verified_at is None
    back = store.domains.mark_checked(domain.id, {rsa.id: True}, AT + 4)
    assert (back.verified_at, back.keys[0].state) == (AT + 4, "active")


def test_new_keys_take_over_when_they_are_found(store: IdentityStore, domain: Domain) -> None:
    store.domains.mark_checked(domain.id, {key.id: True for key in domain.keys}, AT)
    rotated = store.domains.rotate_keys(domain.id, actor=ME)
    assert states(rotated) == [
        "ang20261121ar active",
        "ang20261121ae active",
        "ang20261121br pending",
        "ang20261121be pending",
    ]
    half = store.domains.mark_checked(
        domain.id, {rotated.keys[2].id: True, rotated.keys[3].id: False}, AT + 5
    )
    assert states(half) == [
        "ang20261121ar retired",
        "ang20261121ae active",
        "ang20261121br active",
        "ang20261121be pending",
    ]
    assert (half.keys[0].retired_at, half.verified_at) == (AT + 5, AT)
    with pytest.raises(
        Conflict, match=r"has new keys already \(ang20261121be\); publish their records, as `records` lists"
    ):
        store.domains.rotate_keys(domain.id, actor=ME)


def test_a_domain_is_changed_and_deleted(store: IdentityStore, domain: Domain) -> None:
    changed = store.domains.change(domain.id, enabled=False, return_path="pm-bounces.example.com", actor=ME)
    assert (changed.enabled, changed.return_path) == (False, "pm-bounces.example.com")
    assert store.domains.change(domain.id, return_path="", actor=ME).return_path == ""
    with pytest.raises(Invalid, match="verified_at: this cannot be changed; what can: enabled, return_path"):
        store.domains.change(domain.id, verified_at=1.0, actor=ME)
    store.domains.delete(domain.id, actor=ME)
    assert store.domains.page() == []
    with pytest.raises(NotFound, match=re.escape("there is no domain example.com of account 1")):
        store.domains.get((domain.account, "example.com"))


def test_two_accounts_may_claim_a_domain_but_one_only_once(store: IdentityStore, domain: Domain) -> None:
    other = store.accounts.create("other", actor=ME).id
    assert store.domains.create(other, "example.com", actor=ME).keys[0].public != domain.keys[0].public
    with pytest.raises(Conflict, match=r"the account has the domain example\.com already"):
        store.domains.create(domain.account, "example.com", actor=ME)


def test_selectors_of_a_day_go_through_the_alphabet() -> None:
    taken: list[str] = []
    for _ in range(30):
        taken += selectors(AT, taken).values()
    assert taken[:4] == ["ang20261121ar", "ang20261121ae", "ang20261121br", "ang20261121be"]
    assert taken[50:56:2] == ["ang20261121zr", "ang20261121aar", "ang20261121abr"]
    assert len(set(taken)) == 60


KEYS = st.lists(
    st.tuples(st.sampled_from(["rsa", "ed25519"]), st.sampled_from(["pending", "active", "retired"])),
    max_size=6,
).map(
    lambda drawn: [DomainKey(n, 1, f"s{n}", kind, "", state, 0.0) for n, (kind, state) in enumerate(drawn, 1)]
)


@given(KEYS, st.dictionaries(st.integers(1, 6), st.booleans()))
def test_after_a_check_the_newest_key_that_is_there_signs(
    keys: list[DomainKey], found: dict[int, bool]
) -> None:
    after = after_check(keys, found, AT)
    assert [key.id for key in after] == [key.id for key in keys]
    for kind in ("rsa", "ed25519"):
        signing = [key.id for key in after if key.algorithm == kind and key.state == "active"]
        could = [
            key.id
            for key in keys
            if key.algorithm == kind and key.state != "retired" and found.get(key.id, key.state == "active")
        ]
        assert signing == could[-1:]
    assert all(new.state == "retired" for old, new in zip(keys, after, strict=True) if old.state == "retired")
    assert after_check(after, found, AT) == after
