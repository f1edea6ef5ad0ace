"""What is learnt of hosts is forgotten after a time, and is bounded."""

from dataclasses import replace

from angarium.core.address import Address
from angarium.core.lessons import Lessons
from angarium.delivery.distrust import DISTRUSTED_FOR_S, Distrust
from angarium.testing.log import kept_log, records_of

HERE = Address("mx.test", "127.0.0.1", 25)
NOW = 1000.0


def test_a_lesson_is_in_force_up_to_its_time() -> None:
    lessons: Lessons[str, int] = Lessons()
    assert lessons.get("a", NOW) is None
    lessons.learn("a", 1, NOW + 10, NOW)
    assert (lessons.get("a", NOW + 9), lessons.get("a", NOW + 10), lessons.get("b", NOW)) == (1, None, None)
    lessons.forget("a")
    lessons.forget("b")
    assert lessons.get("a", NOW) is None


def test_lessons_are_bounded_and_the_last_is_always_known() -> None:
    lessons: Lessons[int, int] = Lessons(most=10)
    for number in range(100):
        lessons.learn(number, number, NOW + (5 if number % 2 else 50), NOW)
        assert lessons.get(number, NOW) == number
        assert sum(lessons.get(other, NOW) is not None for other in range(100)) <= 10
    lessons.learn(100, 100, NOW + 100, NOW + 10)
    assert lessons.get(98, NOW + 10) == 98  # those that were over have made room


def test_distrust_adds_up_and_is_told_once() -> None:
    log = kept_log()
    distrust = Distrust(log)
    assert distrust.of(HERE, NOW) == frozenset()
    for keywords in ({"CHUNKING"}, {"CHUNKING"}, {"CHUNKING", "SIZE"}):
        distrust.learn(HERE, frozenset(keywords), NOW)
    assert distrust.of(HERE, NOW) == {"CHUNKING", "SIZE"}
    assert distrust.of(replace(HERE, port=26), NOW) == frozenset()
    assert distrust.of(HERE, NOW + DISTRUSTED_FOR_S) == frozenset()
    assert [record["keywords"] for record in records_of(log)] == ["CHUNKING", "SIZE"]
