"""The guard against bursts, under a clock that the test sets."""

from hypothesis import given
from hypothesis import strategies as st

from angarium.feedback.burst import NO_HOST, Burst, BurstGuard, BurstLimits, key_of

LIMITS = BurstLimits(percent=20, least=10, window_s=600.0)


def guard(hard: int = 0, delivered: int = 0, at: float = 6_000.0, key: str = "google") -> BurstGuard:
    made = BurstGuard(LIMITS)
    made.delivered(key, at, delivered)
    for _ in range(hard):
        made.failed(key, at)
    return made


def test_a_share_of_hard_bounces_is_a_burst_when_there_are_enough() -> None:
    assert guard(9, 0).burst("google", 6_000) is None
    assert guard(10, 40).burst("google", 6_000) == Burst("google", 10, 50)
    assert guard(10, 41).burst("google", 6_000) is None


def test_a_burst_is_one_providers() -> None:
    assert guard(50).burst("yahoo", 6_000) is None


def test_it_ends_when_its_minutes_are_over() -> None:
    made = guard(50)
    assert made.burst("google", 6_599) is not None
    assert made.burst("google", 6_630) is None


def test_what_comes_slowly_is_none() -> None:
    made = BurstGuard(LIMITS)
    for number in range(100):
        made.failed("google", number * 70.0)
        assert made.burst("google", number * 70.0) is None


def test_percent_0_switches_it_off() -> None:
    made = BurstGuard(LIMITS._replace(percent=0))
    for _ in range(100):
        made.failed("google", 0.0)
    assert made.burst("google", 0.0) is None


def test_domains_that_do_not_exist_are_measured_by_all_mail() -> None:
    assert key_of("google", "gmail.com", "no_such_host") == NO_HOST
    made = guard(0, 1_000)
    for _ in range(100):
        made.failed(NO_HOST, 6_000.0)
    assert made.burst(NO_HOST, 6_000.0) is None
    for _ in range(200):
        made.failed(NO_HOST, 6_000.0)
    assert made.burst(NO_HOST, 6_000.0) is not None


def test_hosts_of_no_provider_are_told_apart_by_domain() -> None:
    assert key_of("other", "example.com", "no_such_recipient") == "example.com"
    assert key_of("", "example.com", "no_such_recipient") == "example.com"
    assert key_of("google", "example.com", "no_such_recipient") == "google"


def test_what_is_old_is_forgotten() -> None:
    made = BurstGuard(LIMITS)
    for number in range(10_000):
        made.failed(f"domain{number}.example", number * 1.0)
    assert len(made._slices) < 1_300


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3_000)), max_size=200), st.floats(0, 4_000))
def test_the_order_in_which_it_is_told_does_not_matter(told: list[tuple[bool, float]], at: float) -> None:
    def found(of: list[tuple[bool, float]]) -> Burst | None:
        made = BurstGuard(BurstLimits(10, 3, 6_000.0))
        for is_hard, when in of:
            made.failed("google", when) if is_hard else made.delivered("google", when)
        return made.burst("google", at)

    assert found(told) == found(list(reversed(told)))
