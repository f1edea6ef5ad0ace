"""Failed logins: a growing delay, then a block of where they come from, and patience for the name that was tried."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.records import InboundOptions
from angarium.core.peers import network_of
from angarium.identity.forms import may_guess, shown
from angarium.identity.guard.guard import LONGEST_WAIT_S, Guard, fingerprint
from angarium.identity.guard.trust import MOST_NETWORKS

OPTIONS = replace(InboundOptions(), auth_failure_delay=1, auth_failures_to_block=4, auth_block_time=100)
HERE, THERE = "192.0.2.1", "198.51.100.9"


def fail(
    guard: Guard, network: str, name: str, times: int, at: float = 0.0, secret: str | None = "wrong"
) -> None:
    for _ in range(times):
        guard.failed(network, guard.mark(name, secret), at, OPTIONS)


def until(
    guard: Guard, network: str, name: str, at: float = 0.0, secret: str | None = "right"
) -> float | None:
    return guard.blocked_until(network, guard.mark(name, secret), at)


def waits(guard: Guard, network: str, name: str, at: float = 0.0, secret: str | None = "right") -> float:
    return guard.wait_s(network, guard.mark(name, secret), at, OPTIONS)


def let_in(guard: Guard, network: str, name: str, at: float = 0.0, secret: str | None = "right") -> bool:
    return guard.succeeded(network, guard.mark(name, secret), at)


# -- where they come from


def test_the_delay_doubles_with_each_failure_up_to_half_a_minute() -> None:
    guard = Guard()
    options = replace(OPTIONS, auth_failures_to_block=0)
    delays = []
    for _ in range(7):
        guard.failed(HERE, guard.mark("ann", "wrong"), 0.0, options)
        delays.append(guard.delay_s(HERE, 0.0, options))
    assert delays == [1, 2, 4, 8, 16, 30, 30]


def test_no_delay_and_no_block_when_the_options_say_none() -> None:
    guard = Guard()
    options = replace(OPTIONS, auth_failure_delay=0, auth_failures_to_block=0)
    for _ in range(1000):
        guard.failed(HERE, guard.mark("ann", "wrong"), 0.0, options)
    assert guard.delay_s(HERE, 0.0, options) == 0
    assert guard.wait_s(HERE, guard.mark("ann", "right"), 0.0, options) == 0
    assert until(guard, HERE, "ann") is None


def test_an_address_is_blocked_for_every_name() -> None:
    guard = Guard()
    for name in ("a", "b", "c"):
        fail(guard, HERE, name, 1, 10.0)
    assert until(guard, HERE, "d", 10.0) is None
    fail(guard, HERE, "d", 1, 10.0)
    assert until(guard, HERE, "e", 10.0) == 110.0
    assert until(guard, THERE, "e", 10.0) is None


def test_a_block_ends_and_the_count_begins_anew() -> None:
    guard = Guard()
    fail(guard, HERE, "ann", 4)
    assert until(guard, HERE, "ann", 99.9) == 100.0
    assert until(guard, HERE, "ann", 100.0) is None
    assert guard.delay_s(HERE, 100.0, OPTIONS) == 1
    fail(guard, HERE, "ann", 1, 100.0)
    assert guard.delay_s(HERE, 100.0, OPTIONS) == 1
    assert until(guard, HERE, "ann", 100.0) is None


@pytest.mark.parametrize("own", ["127.0.0.1", "::1", ""])
def test_this_machine_is_neither_blocked_nor_answered_ever_more_slowly(own: str) -> None:
    """All programs here, and all clients of a proxy that tells nothing of them, are one address."""
    guard = Guard()
    fail(guard, own, "ann", 1000)
    assert until(guard, own, "bob") is None
    assert guard.delay_s(own, 0.0, OPTIONS) == 1
    assert waits(guard, own, "ann") == LONGEST_WAIT_S  # her password is guarded all the same


# -- which name they are tried with


def test_guesses_at_a_name_make_logins_under_it_wait_and_lock_nobody_out() -> None:
    guard = Guard()
    waited = []
    for number in range(8):
        fail(guard, f"192.0.2.{number}", "ann", 1, 10.0)
        waited.append(waits(guard, THERE, "ANN", 10.0))
    assert waited == [0, 0, 0, 1, 2, 4, 8, LONGEST_WAIT_S]
    assert until(guard, THERE, "ann", 10.0) is None
    assert waits(guard, THERE, "bob", 10.0) == 0
    assert waits(guard, THERE, "ann", 110.0) == 0


@pytest.mark.parametrize(
    "name", ["SMTP_Injection", "smtp_injection", "SMTP_Injection:X-MSYS-SUBACCOUNT=7", ""]
)
def test_under_a_name_that_many_have_nobody_waits_for_the_others(name: str) -> None:
    """Every API key logs in as SMTP_Injection: a stranger with wrong keys would hold all of their owners up."""
    guard = Guard()
    for number in range(40):
        fail(guard, f"192.0.2.{number}", name, 1, 10.0)
    assert until(guard, THERE, name, 10.0) is None
    assert waits(guard, THERE, "SMTP_Injection", 10.0) == 0
    fail(guard, THERE, name, 4, 10.0)
    assert until(guard, THERE, name, 10.0) == 110.0


def test_success_forgets_the_names_failures_but_not_the_addresss() -> None:
    guard = Guard()
    fail(guard, HERE, "ann", 3)
    let_in(guard, HERE, "ann")
    fail(guard, THERE, "ann", 1)
    assert waits(guard, "203.0.113.5", "ann") == 0  # one failure, not four
    fail(guard, HERE, "victim", 1)
    assert until(guard, HERE, "another") == 100.0  # an own login is no way to go on guessing


# -- who is exempt


def test_who_logged_in_from_there_with_that_secret_is_heard_at_once_whatever_others_do() -> None:
    guard = Guard()
    let_in(guard, HERE, "ann")
    fail(guard, THERE, "ann", 9)  # somebody guesses at ann's password
    fail(guard, HERE, "ann", 2)  # her telephone has the old one
    fail(guard, HERE, "bob", 4)  # a colleague in the same office has a wrong one
    assert until(guard, HERE, "ann", 1.0) is None
    assert waits(guard, HERE, "ann", 1.0) == 0
    assert until(guard, HERE, "bob", 1.0) == 100.0
    assert until(guard, THERE, "ann", 1.0) == 100.0
    assert waits(guard, THERE, "ann", 1.0) == LONGEST_WAIT_S


def test_one_wrong_api_key_stops_none_of_the_others_behind_that_address() -> None:
    guard = Guard()
    let_in(guard, HERE, "SMTP_Injection", secret="key one")
    let_in(guard, HERE, "smtp_injection:X-MSYS-SUBACCOUNT=7", secret="key two")
    fail(guard, HERE, "SMTP_Injection", 1000, 1.0, "revoked key")
    assert until(guard, HERE, "SMTP_Injection", 1.0, "key one") is None
    assert until(guard, HERE, "SMTP_Injection", 1.0, "key two") is None
    assert until(guard, HERE, "SMTP_Injection", 1.0, "revoked key") == 101.0


def test_a_secret_that_was_right_and_is_not_any_more_is_not_exempt_any_more() -> None:
    guard = Guard()
    let_in(guard, HERE, "ann")
    fail(guard, HERE, "ann", 4, secret="right")
    assert until(guard, HERE, "ann", 1.0) == 100.0


def test_where_the_secret_is_not_shown_the_name_is_exempt_and_what_it_fails_makes_no_block_longer() -> None:
    guard = Guard()
    let_in(guard, HERE, "ann", secret=None)
    fail(guard, HERE, "bob", 4)
    fail(guard, HERE, "ann", 9, 50.0, secret=None)
    assert until(guard, HERE, "ann", 50.0, secret=None) is None
    assert until(guard, HERE, "ann", 50.0, secret="a guess") == 100.0


def test_an_exemption_ends_a_week_after_its_last_use() -> None:
    guard, day = Guard(), 86_400.0
    let_in(guard, HERE, "ann")
    let_in(guard, HERE, "ann", 6 * day)
    fail(guard, HERE, "bob", 4, 13 * day - 1)
    assert until(guard, HERE, "ann", 13 * day - 1) is None
    fail(guard, HERE, "bob", 4, 14 * day + 1)
    assert until(guard, HERE, "ann", 14 * day + 1) is not None


def test_a_login_used_from_everywhere_pushes_out_its_own_exemptions_only() -> None:
    guard = Guard(limit=2)
    let_in(guard, HERE, "ann")
    for number in range(1000):
        let_in(guard, f"10.0.{number // 250}.{number % 250}", "roamer")
    assert guard.trust.until(HERE, guard.mark("ann", "right")) > 0
    roamer = guard.mark("roamer", "right")
    held = [n for n in range(1000) if guard.trust.until(f"10.0.{n // 250}.{n % 250}", roamer)]
    assert held == list(range(1000 - MOST_NETWORKS, 1000))


def test_other_workers_are_told_of_an_exempt_login_once_a_day() -> None:
    guard, other = Guard(b"key"), Guard(b"key")
    day = 86_400.0
    assert let_in(guard, HERE, "ann")
    other.succeeded(HERE, guard.mark("ann", "right"), 0.0)
    assert not let_in(guard, HERE, "ann", day - 1)
    assert let_in(guard, HERE, "ann", day + 1)
    assert let_in(guard, THERE, "ann", day + 1)
    fail(other, HERE, "bob", 4, 7 * day)
    assert until(other, HERE, "ann", 7 * day) is None
    assert until(other, HERE, "ann", 7 * day, "another") is not None


# -- what is kept


def test_another_worker_can_be_told_of_a_failure_by_its_mark() -> None:
    guard, other = Guard(b"key"), Guard(b"key")
    for number in range(4):
        other.failed(f"192.0.2.{number}", guard.mark("Ann", "wrong"), 0.0, OPTIONS)
    assert waits(other, THERE, "ann") == 1


@given(st.text(), st.text())
def test_a_mark_begins_with_the_fingerprint_of_the_name_and_tells_next_to_nothing_of_the_secret(
    name: str, secret: str
) -> None:
    guard = Guard(b"key")
    mark = guard.mark(name, secret)
    assert fingerprint(mark) == fingerprint(name) == guard.mark(name) == mark[:17]
    assert fingerprint(name.casefold()) == fingerprint(name)
    assert len(mark) == 22  # 16 bits: of the passwords that somebody may have, countless fit
    assert Guard(b"other key").mark(name, secret)[:17] == mark[:17]


def test_marks_differ_by_secret_and_by_key() -> None:
    marks = {Guard(key).mark("ann", secret) for key in (b"1", b"2") for secret in ("a", "b", "")}
    assert len(marks) == 6


def test_memory_is_bounded_and_the_oldest_failures_are_forgotten() -> None:
    guard = Guard(limit=100)
    for number in range(1000):
        fail(guard, f"10.0.{number // 250}.{number % 250}", f"name {number}", 4)
    assert until(guard, "10.0.3.249", "x") == 100.0
    assert until(guard, "10.0.0.0", "name 0") is None
    assert waits(guard, THERE, "name 999") == 1
    assert waits(guard, THERE, "name 0") == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::7", "::/64"),
        ("::1", "::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_customer_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::7", "2001:db8:1::/48"), ("127.0.0.9", "127.0.0.9")],
)
def test_how_much_is_one_peer_can_be_said(address: str, network: str) -> None:
    assert network_of(address, 24, 48) == network
    assert network_of(address, 32, 128) == address


# -- what is a guess


@pytest.mark.parametrize(
    ("mechanism", "username", "is_guess"),
    [
        ("PLAIN", "SMTP_Injection", True),
        ("LOGIN", "nobody", True),
        ("SCRAM-SHA-256", "nobody", True),
        ("SCRAM-SHA-256", "SMTP_Injection", False),
        ("SCRAM-SHA-256", "smtp_injection:X-MSYS-SUBACCOUNT=7", False),
        ("SCRAM-SHA-256", "ann@acme.test", False),
        ("CRAM-MD5", "nobody", False),
        ("DIGEST-MD5", "nobody", False),
    ],
)
def test_a_mechanism_that_a_name_cannot_use_guesses_at_nothing(
    mechanism: str, username: str, is_guess: bool
) -> None:
    assert may_guess(mechanism, username) is is_guess


@pytest.mark.parametrize(
    ("username", "text"),
    [
        ("SMTP_Injection", "SMTP_Injection"),
        ("smtp_injection:X-MSYS-SUBACCOUNT=12", "smtp_injection:X-MSYS-SUBACCOUNT=12"),
        ("ann@acme.test", "ann@acme.test"),
        ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("PM-T-outbound-abcdefghijABCDEFGHIJ_-", "PM-T-outbound-abcdefghijABCDEFGHIJ_-"),
        ("6c2b5e0a-7b1f-4d55-9a53-0d8b1c1b8e11", "6c2b…"),
        ("0123456789abcdef0123456789abcdef01234567", "0123…"),
        ("hunter2", "…"),
        ("my pass@word", "my p…"),
    ],
)
def test_what_may_be_a_secret_is_cut_in_logs(username: str, text: str) -> None:
    assert shown(username) == text
