"""How many wait, as the numbers of a worker say it: counted seldom where it takes long, and nobody left out."""

import pytest

from angarium.core.metrics import Counters
from angarium.node.standing import Standing

NONE = {"active": (0, None), "in_flight": (0, None), "delayed": (0, None), "held": (0, None)}


class Machine:
    """One on which counting costs *cpu_s* of CPU, during which *lost_s* go to other processes."""

    def __init__(self, cpu_s: float, lost_s: float = 0.0) -> None:
        self.found = dict(NONE)
        self._cost = cpu_s, lost_s
        self.now = self._spent = 0.0
        self._counters = Counters()
        self._standing = Standing(self._census, self._counters, lambda: self.now, lambda: self._spent)

    def _census(self) -> dict[str, tuple[int, float | None]]:
        self.now += sum(self._cost)
        self._spent += self._cost[0]
        return self.found

    def waiting(self, stored: int = 0) -> dict[str, float]:
        self._standing.count(1000.0, stored)
        return {state: self._counters.values["recipients", state] for state in NONE}


def test_who_waits_is_counted_anew_once_500_times_the_cost_has_passed():
    machine = Machine(cpu_s=0.01)
    assert machine.waiting()["active"] == 0
    machine.found["active"] = (7, 900.0)
    machine.now += 4.9
    assert machine.waiting()["active"] == 0
    machine.now += 0.2
    assert machine.waiting()["active"] == 7


def test_a_count_that_other_processes_held_up_is_not_shown_for_long():
    machine = Machine(cpu_s=0.0001, lost_s=0.2)
    assert machine.waiting()["active"] == 0
    machine.found["active"] = (7, 900.0)
    machine.now += 0.1
    assert machine.waiting()["active"] == 7


@pytest.mark.parametrize(("held", "stored", "delayed"), [(0, 2, 2), (3, 5, 2), (0, 0, 0)])
def test_who_is_on_the_way_to_the_store_is_delayed(held, stored, delayed):
    machine = Machine(cpu_s=0.0)
    machine.found["held"] = (held, 900.0)
    assert machine.waiting(stored)["delayed"] == delayed
