"""The cache: how long, how many, what goes first."""

from angarium.dns.cache import AnswerCache
from angarium.dns.records import Answer, Question

A, B, C = (Question(name, "A") for name in ("a.test", "b.test", "c.test"))


def found(ttl_s: int) -> Answer:
    return Answer("found", ("192.0.2.1",), ttl_s)


def test_what_was_used_least_recently_goes_first() -> None:
    cache = AnswerCache(2)
    cache.put(A, found(60), 0.0)
    cache.put(B, found(60), 0.0)
    cache.get(A, 1.0)
    cache.put(C, found(60), 2.0)
    assert cache.get(A, 3.0) is not None
    assert cache.get(B, 3.0) is None
    assert len(cache) == 2


def test_an_answer_is_gone_when_its_time_is_up() -> None:
    cache = AnswerCache(2)
    cache.put(A, found(60), 0.0)
    assert cache.get(A, 59.5) == found(1)
    assert cache.get(A, 60.0) is None
    assert len(cache) == 0


def test_an_answer_without_time_is_not_kept() -> None:
    cache = AnswerCache(2)
    cache.put(A, found(0), 0.0)
    assert len(cache) == 0


def test_answers_about_one_name_or_all_can_be_forgotten() -> None:
    cache = AnswerCache(9)
    for question in (A, A._replace(type="MX"), B):
        cache.put(question, Answer("nodata", ttl_s=60), 0.0)
    assert cache.clear("a.test") == 2
    assert cache.clear() == 1


def test_an_answer_that_was_asked_for_too_long_ago_is_none_to_who_wants_a_newer_one() -> None:
    cache = AnswerCache(2)
    cache.put(A, found(60), 12.0, asked_at=10.0)
    assert cache.get(A, 20.0, since=10.0) is not None
    assert cache.get(A, 20.0, since=10.5) is None
    assert cache.get(A, 20.0) is not None
