"""The node's time: the wall clock without its small steps back."""

import time

from hypothesis import given
from hypothesis import strategies as st

from angarium.core.clock import CLOSE_S, LOOK_S, MOST_AHEAD_S, SteadyTime, SystemClock

HOUR_S = 3600.0
STEP_S = MOST_AHEAD_S - 1


class Machine:
    """A wall clock that can be set, and the seconds since the start."""

    def __init__(self) -> None:
        self.wall = 1_900_000_000.0
        self.steady = 0.0
        self.time = SteadyTime(lambda: self.wall, lambda: self.steady)

    def passes(self, seconds: float) -> float:
        self.wall += seconds
        self.steady += seconds
        return self.time.now()


def test_a_wait_that_has_begun_ends_in_time_although_the_clock_is_set_back():
    machine = Machine()
    due_at = machine.time.now() + 60
    machine.wall -= STEP_S
    passed = 0
    while machine.passes(LOOK_S) < due_at:
        passed += 1
    assert passed <= 120


def test_the_wall_clock_catches_up():
    machine = Machine()
    machine.wall -= STEP_S
    for _ in range(round(2 * STEP_S) + 2):
        machine.passes(LOOK_S)
    assert 0 <= machine.time.now() - machine.wall <= CLOSE_S + LOOK_S


def test_a_clock_that_was_far_wrong_is_believed_when_it_is_set_right():
    """Nothing is dated and signed hours ahead."""
    machine = Machine()
    machine.wall -= HOUR_S
    assert machine.passes(LOOK_S) == machine.wall


def test_a_step_forward_is_seen_within_a_second():
    machine = Machine()
    machine.wall += HOUR_S
    assert machine.passes(LOOK_S) == machine.wall


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(-20, HOUR_S)), max_size=10))
def test_after_small_steps_it_never_runs_backwards_and_never_stands_still(days):
    machine = Machine()
    before = machine.time.now()
    for seconds, step in days:
        machine.wall += step
        now = machine.passes(seconds)
        assert now >= before + seconds * 0.49 - 1e-6
        before = now


def test_the_machines_own_is_right():
    assert abs(SystemClock().now() - time.time()) < 5
