"""Who is logged in to the pages, and by which links."""

import pytest

from angarium.identity.sessions import IDLE_S, LINK_S, LONGEST_S
from angarium.sql.errors import NotFound

WHERE = {"peer": "192.0.2.7", "agent": "a browser"}
WHO = "cli:test"


@pytest.fixture
def ann(store):
    account = store.accounts.create("shop", actor=WHO)
    return store.people.create(
        account.id, "ann@example.com", "Ann", "correct horse battery", role="owner", actor=WHO
    )


def find(store, secret, clock):
    return store.sessions.find(secret, clock.now())


def test_a_password_is_right_for_whoever_may_log_in(store, ann):
    assert store.sessions.person_with(" Ann@Example.com ", "correct horse battery") == ann
    assert store.sessions.person_with("ann@example.com", "wrong horse battery") is None
    assert store.sessions.person_with("eve@example.com", "correct horse battery") is None
    store.people.change(ann.id, role="sender", actor=WHO)
    assert store.sessions.person_with("ann@example.com", "correct horse battery") is None


def test_a_session_is_found_by_its_secret_until_it_is_ended(store, ann, clock):
    secret = store.sessions.begin(ann, **WHERE)
    session = find(store, secret, clock)
    assert (session.person, session.account_name, session.peer) == (ann, "shop", "192.0.2.7")
    assert find(store, "another", clock) is None
    store.sessions.end(session.id, actor=WHO)
    assert find(store, secret, clock) is None
    with pytest.raises(NotFound):
        store.sessions.end(session.id, actor=WHO)


def test_a_session_is_over_when_it_was_not_used_or_is_old(store, ann, clock):
    secret = store.sessions.begin(ann, **WHERE)
    for _ in range(int(LONGEST_S / IDLE_S)):
        clock.at += IDLE_S - 1
        assert find(store, secret, clock) is not None
    clock.at += IDLE_S - 1
    assert find(store, secret, clock) is None
    idle = store.sessions.begin(ann, **WHERE)
    clock.at += IDLE_S + 1
    assert find(store, idle, clock) is None
    store.sessions.forget_old(clock.now())
    assert store.sessions.of_person(ann.id) == []


@pytest.mark.parametrize("change", [{"enabled": False}, {"role": "sender"}])
def test_who_may_no_longer_log_in_is_out_at_once(store, ann, clock, change):
    secret = store.sessions.begin(ann, **WHERE)
    store.people.change(ann.id, actor=WHO, **change)
    assert find(store, secret, clock) is None


def test_another_password_ends_all_sessions(store, ann, clock):
    secret = store.sessions.begin(ann, **WHERE)
    store.people.set_password(ann.id, "another good password", actor=WHO)
    assert find(store, secret, clock) is None


def test_another_role_holds_from_the_next_request(store, ann, clock):
    secret = store.sessions.begin(ann, **WHERE)
    store.people.change(ann.id, role="viewer", actor=WHO)
    assert find(store, secret, clock).person.role == "viewer"


def test_a_link_is_good_once(store, ann, clock):
    link = store.sessions.make_link(ann.id, actor=WHO)
    secret = store.sessions.use_link(link, **WHERE)
    assert find(store, secret, clock).person == ann
    assert store.sessions.use_link(link, **WHERE) is None


def test_a_link_is_good_for_a_while_and_only_the_newest(store, ann, clock):
    first = store.sessions.make_link(ann.id, actor=WHO)
    second = store.sessions.make_link(ann.id, actor=WHO)
    assert store.sessions.use_link(first, **WHERE) is None
    clock.at += LINK_S + 1
    assert store.sessions.use_link(second, **WHERE) is None


def test_no_secret_is_in_the_store_or_in_the_audit_log(store, ann, clock):
    link = store.sessions.make_link(ann.id, actor=WHO)
    secret = store.sessions.use_link(link, **WHERE)
    told = repr(store.audit.page())
    assert "log in" in told
    assert link not in told
    assert secret not in told
