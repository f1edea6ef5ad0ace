"""The page of memory that workers share."""

from angarium.node.session_counts import SessionCounts


def rows(workers: int) -> list[SessionCounts]:
    fd = SessionCounts.make_fd(workers)
    return [SessionCounts(fd, workers, row) for row in range(workers)]


def test_every_worker_sees_the_sessions_of_all() -> None:
    first, second = rows(2)
    first.enter("192.0.2.1")
    second.enter("192.0.2.1")
    second.enter("192.0.2.2")
    assert first.sessions() == second.sessions() == 3
    assert first.sessions_of("192.0.2.1") == 2
    assert first.sessions_of("192.0.2.2") == 1
    second.leave("192.0.2.1")
    assert first.sessions_of("192.0.2.1") == 1


def test_every_worker_sees_what_all_hold_of_unfinished_messages() -> None:
    first, second = rows(2)
    first.hold("192.0.2.1", 3 << 30)
    second.hold("192.0.2.1", 2 << 30)
    second.hold("192.0.2.2", 7)
    second.enter("192.0.2.1")
    assert first.held_by("192.0.2.1") == second.held_by("192.0.2.1") == 5 << 30
    second.hold("192.0.2.1", -(2 << 30))
    assert first.held_by("192.0.2.1") == 3 << 30
    assert first.sessions_of("192.0.2.1") == 1
    first.clear(1)
    assert (first.held_by("192.0.2.2"), first.held_by("192.0.2.1")) == (0, 3 << 30)


def test_surplus_is_measured_against_the_worker_with_the_fewest() -> None:
    first, second, third = rows(3)
    for _ in range(3):
        first.enter("192.0.2.1")
    second.enter("192.0.2.1")
    assert (first.surplus(), second.surplus(), third.surplus()) == (3, 1, 0)


def test_a_dead_workers_sessions_are_forgotten() -> None:
    first, second = rows(2)
    second.enter("192.0.2.1")
    first.clear(1)
    assert first.sessions() == 0
    assert first.sessions_of("192.0.2.1") == 0
    second.leave("192.0.2.1")
    assert first.sessions_of("192.0.2.1") == 0


def test_nobody_can_choose_addresses_that_are_counted_as_somebody_elses() -> None:
    """Where peers meet is another matter on every node, and the same for all of its workers."""
    victim, others = "192.0.2.1", [f"2001:db8:{n:x}::/64" for n in range(100_000)]
    meeting = []
    for _ in range(2):
        first, second = rows(2)
        second.enter(victim)
        meeting.append({peer for peer in others if first.sessions_of(peer)})
    assert meeting[0] != meeting[1]
    assert all(len(met) < 50 for met in meeting)


def test_what_waits_of_an_account_is_counted_over_all_workers() -> None:
    first, second = rows(2)
    first.wait(7, 3, 3000)
    second.wait(7, 2, 500)
    second.wait(8, 1, 10)
    assert first.waiting(7) == second.waiting(7) == (5, 3500)
    first.wait(7, -3, -3000)
    assert second.waiting(7) == (2, 500)
    second.clear(1)
    assert first.waiting(7) == first.waiting(8) == (0, 0)


def test_what_ends_before_a_start_has_summed_up_what_waits_is_not_counted_less_than_nothing() -> None:
    first, second = rows(2)
    second.wait(7, 1, 10)
    first.wait(7, -2, -200)
    assert first.waiting(7) == (1, 10)
    first.wait(7, 5, 500)  # the sum, those two among it
    assert first.waiting(7) == (4, 310)
    first.enter("192.0.2.1")
    assert first.waiting(7) == (4, 310)
    assert first.sessions_of("192.0.2.1") == 1


def test_connections_by_http_are_counted_apart_from_sessions() -> None:
    first, second = rows(2)
    first.http.enter()
    first.http.enter()
    second.http.enter()
    assert (first.http.surplus(), second.http.surplus()) == (1, 0)
    assert first.sessions() == first.sessions_of("192.0.2.1") == 0
    first.http.leave()
    first.http.leave()
    assert (first.http.surplus(), second.http.surplus()) == (0, 1)


def test_whether_any_worker_takes_connections_is_seen() -> None:
    first, second = rows(2)
    before = first.http.taken()
    second.http.enter()
    second.http.leave()
    assert first.http.taken() != before
    first.clear(1)
    assert first.http.taken() == before
