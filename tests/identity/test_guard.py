"""Failed logins: a growing delay, then a block, of addresses and of names."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.records import InboundOptions
from angarium.identity.forms import shown
from angarium.identity.guard import Guard, fingerprint, network_of

OPTIONS = replace(InboundOptions(), auth_failure_delay=1, auth_failures_to_block=4, auth_block_time=100)
HERE, THERE = "192.0.2.1", "198.51.100.9"


def fail(guard: Guard, address: str, name: str, times: int, at: float = 0.0) -> None:
    for _ in range(times):
        guard.failed(address, name, at, OPTIONS)


def test_the_delay_doubles_with_each_failure_up_to_half_a_minute() -> None:
    guard = Guard()
    options = replace(OPTIONS, auth_failures_to_block=0)
    delays = [guard.delay_s(HERE, "ann", 0.0, options)]
    for _ in range(7):
        guard.failed(HERE, "ann", 0.0, options)
        delays.append(guard.delay_s(HERE, "ann", 0.0, options))
    assert delays == [0, 1, 2, 4, 8, 16, 30, 30]


def test_no_delay_and_no_block_when_the_options_say_none() -> None:
    guard = Guard()
    options = replace(OPTIONS, auth_failure_delay=0, auth_failures_to_block=0)
    for _ in range(1000):
        guard.failed(HERE, "ann", 0.0, options)
    assert guard.delay_s(HERE, "ann", 0.0, options) == 0
    assert guard.blocked_until(HERE, "ann", 0.0) is None


def test_an_address_is_blocked_for_every_name() -> None:
    guard = Guard()
    for name in ("a", "b", "c"):
        guard.failed(HERE, name, 10.0, OPTIONS)
    assert guard.blocked_until(HERE, "d", 10.0) is None
    guard.failed(HERE, "d", 10.0, OPTIONS)
    assert guard.blocked_until(HERE, "e", 10.0) == 110.0
    assert guard.blocked_until(THERE, "e", 10.0) is None


def test_a_name_is_blocked_from_every_address() -> None:
    guard = Guard()
    for number in range(4):
        guard.failed(f"192.0.2.{number}", "ann", 10.0, OPTIONS)
    assert guard.blocked_until(THERE, "ann", 10.0) == 110.0
    assert guard.blocked_until(THERE, "ANN", 10.0) == 110.0
    assert guard.blocked_until(THERE, "bob", 10.0) is None


@pytest.mark.parametrize(
    "name", ["SMTP_Injection", "smtp_injection", "SMTP_Injection:X-MSYS-SUBACCOUNT=7", ""]
)
def test_a_name_that_many_have_is_never_blocked(name: str) -> None:
    """Every API key logs in as SMTP_Injection: a stranger with wrong keys would lock all of their owners out."""
    guard = Guard()
    for number in range(40):
        guard.failed(f"192.0.2.{number}", name, 10.0, OPTIONS)
    assert guard.blocked_until(THERE, name, 10.0) is None
    assert guard.blocked_until(THERE, "SMTP_Injection", 10.0) is None
    assert guard.delay_s(THERE, name, 10.0, OPTIONS) == 0
    fail(guard, THERE, name, 4, 10.0)
    assert guard.blocked_until(THERE, name, 10.0) == 110.0


def test_a_block_ends_and_the_count_begins_anew() -> None:
    guard = Guard()
    fail(guard, HERE, "ann", 4)
    assert guard.blocked_until(HERE, "ann", 99.9) == 100.0
    assert guard.blocked_until(HERE, "ann", 100.0) is None
    assert guard.delay_s(HERE, "ann", 100.0, OPTIONS) == 0
    guard.failed(HERE, "ann", 100.0, OPTIONS)
    assert guard.delay_s(HERE, "ann", 100.0, OPTIONS) == 1
    assert guard.blocked_until(HERE, "ann", 100.0) is None


def test_whoever_logged_in_from_there_is_not_locked_out_by_the_guesses_of_others() -> None:
    guard = Guard()
    guard.succeeded(HERE, "ann", 0.0)
    fail(guard, THERE, "ann", 4)  # somebody guesses at ann's password
    fail(guard, HERE, "bob", 4)  # a colleague in the same office has a wrong one
    assert guard.blocked_until(HERE, "ann", 1.0) is None
    assert guard.blocked_until(HERE, "bob", 1.0) == 100.0
    assert guard.blocked_until(THERE, "ann", 1.0) == 100.0


def test_who_fails_is_not_exempt_any_more() -> None:
    guard = Guard()
    guard.succeeded(HERE, "ann", 0.0)
    fail(guard, HERE, "ann", 4)
    assert guard.blocked_until(HERE, "ann", 1.0) == 100.0


def test_success_forgets_the_names_failures_but_not_the_addresss() -> None:
    guard = Guard()
    fail(guard, HERE, "ann", 3)
    guard.succeeded(HERE, "ann", 0.0)
    guard.failed(THERE, "ann", 0.0, OPTIONS)
    assert guard.blocked_until("203.0.113.5", "ann", 0.0) is None  # one failure, not four
    guard.failed(HERE, "victim", 0.0, OPTIONS)
    assert guard.blocked_until(HERE, "another", 0.0) == 100.0  # an own login is no way to go on guessing


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
    ],
)
def test_an_ipv6_customer_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_another_worker_can_be_told_of_a_failure_by_the_names_fingerprint() -> None:
    guard = Guard()
    fail(guard, HERE, fingerprint("Ann"), 4)
    assert guard.blocked_until(THERE, "ann", 0.0) == 100.0


@given(st.text())
def test_a_fingerprint_is_its_own_and_ignores_case(name: str) -> None:
    assert fingerprint(fingerprint(name)) == fingerprint(name)
    assert fingerprint(name.casefold()) == fingerprint(name)
    assert len(fingerprint(name)) == 17


def test_memory_is_bounded_and_the_oldest_failures_are_forgotten() -> None:
    guard = Guard(limit=100)
    for number in range(1000):
        fail(guard, f"10.0.{number // 250}.{number % 250}", f"name {number}", 4)
    assert guard.blocked_until("10.0.3.249", "x", 0.0) == 100.0
    assert guard.blocked_until("10.0.0.0", "name 0", 0.0) is None


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


def test_other_workers_are_told_of_an_exempt_address_once_a_day() -> None:
    guard, other = Guard(), Guard()
    day = 86_400.0
    assert guard.succeeded(HERE, "ann", 0.0)
    other.succeeded(HERE, fingerprint("ann"), 0.0)
    assert not guard.succeeded(HERE, "ann", day - 1)
    assert guard.succeeded(HERE, "ann", day + 1)
    assert guard.succeeded(THERE, "ann", day + 1)
    fail(other, "192.0.2.200", "ann", 4, 7 * day)
    assert other.blocked_until(HERE, "ann", 7 * day) is None
    assert other.blocked_until(THERE, "ann", 7 * day) is not None
