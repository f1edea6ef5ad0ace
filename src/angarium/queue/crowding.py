"""How many sessions an address takes of one binding, learnt from what it refuses.

An address that refuses a session while it has others of ours says: no more than these. That number then limits the
sessions there, for all queues of the binding together. When one ends, the next is opened at once; one more than
that is tried after a while, after an ever longer one as long as it is refused, and whatever proves good raises the
number. Each worker learns for itself: what others have open there, it cannot know.
"""

import re
from dataclasses import dataclass, field

from angarium.core.address import Address
from angarium.core.reply import Reply
from angarium.queue.alarms import NEVER
from angarium.queue.commands import ConnectFailure
from angarium.queue.leases import LINGER_S
from angarium.queue.limits import Limit
from angarium.queue.queues import PooledConnection, Queue, Rest
from angarium.queue.retry import JITTER
from angarium.queue.shaping import Rule, Rules
from angarium.queue.state import State

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 600.0
LONGEST_ALONE_S = 60.0
"""Where we have no session at all, the address has failed when it is to be asked more rarely than this."""

TIGHT_S = 60.0
"""Where a session was refused less than so long ago, none is kept open without mail."""

LATE_S = 5.0
"""A peer may take so long to see that a session has ended which is over for us."""

KEPT_S = 3600.0
"""What was learnt is forgotten when no session has been refused for so long."""

_TOO_MANY = re.compile(
    r"\btoo many (?:\w+ ){0,3}?(?:connect|session)"
    r"|\btrop de connexions"
    r"|\b(?:concurrent|simultaneous|parallel)\b"
    r"|\b(?:connection|session)s?\b.{0,40}\b(?:limit|exceed|maximum)"
    r"|\b(?:limit|maximum|max|number)\b.{0,40}\b(?:connection|session)s\b",
    re.IGNORECASE | re.DOTALL,
)
_IN_ONE = re.compile(
    r"\b(?:per|in|on|for|over|within|during) (?:this |the |one |a |each |your )?(?:smtp )?(?:connection|session)\b",
    re.IGNORECASE,
)
"""There are too many of something in the session: no word on how many sessions there are."""

Place = tuple[str, str, int]
"""A binding, and the IP address and port of the peer."""


def says_too_many(reply: Reply) -> bool:
    """Whether *reply* is about how many sessions there are, in the words that mail servers have for it."""
    return _TOO_MANY.search(reply.text) is not None and _IN_ONE.search(reply.text) is None


@dataclass(slots=True, eq=False)
class Crowd:
    """An address that takes *most* sessions at a time, as *reply* said at *refused_at*. One more may be tried at
    *more_at*, about *wait_s* after the last was.

    *refused* are the queues that were, since a session was taken last: what it means for them is known when another
    is taken, or when the address has failed. *ended_at* is when a session of use ended last.
    """

    rule: Rule
    reply: Reply
    most: int
    more_at: float
    refused_at: float
    wait_s: float = FIRST_WAIT_S
    ended_at: float = -NEVER
    refused: dict[Queue, None] = field(default_factory=dict)


class Crowding:
    """The sessions of one worker by place, and what was learnt of some places."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sessions: dict[Place, dict[PooledConnection, bool]] = {}
        self._crowds: dict[Place, Crowd] = {}

    # --- sessions

    def begun(self, connection: PooledConnection) -> None:
        """*connection* is on its way."""
        self._sessions.setdefault(_place_of(connection), {})[connection] = False

    def opened(self, connection: PooledConnection) -> None:
        """*connection* was taken; so those that were refused meanwhile were too many."""
        if self._crowds:
            crowd = self._crowds.get(_place_of(connection))
            if crowd is not None:
                crowd.refused.clear()

    def proved(self, connection: PooledConnection, now: float) -> None:
        """The first transaction on *connection* has come to an end, so it counts among those that the peer takes."""
        place = _place_of(connection)
        sessions = self._sessions[place]
        sessions[connection] = True
        crowd = self._crowds.get(place) if self._crowds else None
        if crowd is not None:
            proved = sum(sessions.values())
            if proved > crowd.most:
                self._set(crowd, proved, now)
                self._wake(crowd)

    def gone(self, connection: PooledConnection, now: float) -> None:
        """*connection* has ended, or was not taken, or was of no use. May be said more than once."""
        place = _place_of(connection)
        sessions = self._sessions.get(place)
        if sessions is None:
            return
        was_of_use = sessions.pop(connection, False)
        crowd = self._crowds.get(place) if self._crowds and was_of_use else None
        if crowd is not None:
            crowd.ended_at = now
        if not sessions:
            del self._sessions[place]

    # --- what is learnt

    def rules(self, binding: str, address: Address, now: float) -> Rules:
        """The limit that *address* has set, as far as one is known."""
        if not self._crowds:
            return ()
        place = (binding, address.ip, address.port)
        crowd = self._crowds.get(place)
        if crowd is None:
            return ()
        if now > crowd.more_at + KEPT_S:
            self._forget(place)
            return ()
        holding = self._state.holdings.of(crowd.rule)
        is_time = now >= crowd.more_at
        holding.free = max(0, crowd.most + is_time - holding.used)
        holding.retry_at = NEVER if is_time else crowd.more_at
        if holding.free:
            self._state.alarms.set(holding, now + LINGER_S)
        return (crowd.rule,)

    def is_enough(self, queue: Queue, address: Address, failure: ConnectFailure, now: float) -> bool:
        """Learn from *failure*, of a session of *queue* that is gone. False if it says nothing of how many there are.

        Words about that are believed for a while; other refusals only while the address has other sessions of ours, had
        one just now, or has yet to say whether it takes them.
        """
        place = (queue.key.binding, address.ip, address.port)
        crowd = self._crowds.get(place)
        too_many = says_too_many(failure.reply)
        if not too_many and failure.on_terms:
            return False
        if failure.attempt.stage != "connect" and crowd is not None and now < crowd.ended_at + LATE_S:
            too_many = True
        sessions = self._sessions.get(place, {})
        taken = sum(session.state != "opening" for session in sessions)
        if not sessions:
            if not too_many or (crowd is not None and not crowd.most and 2 * crowd.wait_s > LONGEST_ALONE_S):
                return False
        elif not (taken or too_many or failure.attempt.stage != "connect"):
            return False
        self._learn(place, address, failure.reply, taken, now).refused[queue] = None
        return True

    def failed(self, queue: Queue, address: Address, rest: Rest) -> list[Queue]:
        """*address*, which a session of *queue* failed to reach, rests. Returns whom that concerns as well: those who
        were refused before, and those who wait for a session there.

        If there are too many, one will ask for all when it has rested; else all may, as if nothing had been learnt.
        """
        place = (queue.key.binding, address.ip, address.port)
        crowd = self._crowds.get(place)
        if crowd is None:
            return []
        holding = self._state.holdings.by_key.get(crowd.rule.key)
        waiting = [queue for ranks in holding.waiting for queue in ranks] if holding is not None else []
        concerned = dict.fromkeys([*crowd.refused, *waiting])
        concerned.pop(queue, None)
        crowd.refused.clear()
        if says_too_many(rest.reply):
            crowd.more_at = rest.until
        else:
            self._forget(place)
        return [each for each in concerned if self._state.queues.get(each.key) is each]

    def is_roomy(self, connection: PooledConnection, now: float) -> bool:
        """Whether *connection* may stay open without mail: no session was refused lately where it leads.

        Else one that was, in another worker or elsewhere, can use its place.
        """
        crowd = self._crowds.get(_place_of(connection)) if self._crowds else None
        return crowd is None or now >= crowd.refused_at + TIGHT_S

    def forget(self, binding: str, address: Address) -> None:
        """Forget what was learnt of *address*."""
        self._forget((binding, address.ip, address.port))

    def known(self, binding: str, address: Address) -> Crowd | None:
        """What was learnt of *address*."""
        return self._crowds.get((binding, address.ip, address.port))

    def _learn(self, place: Place, address: Address, reply: Reply, taken: int, now: float) -> Crowd:
        crowd = self._crowds.get(place)
        if crowd is None:
            self._drop_old(now)
            key = f"sessions of {place[0]} at {address}"
            rule = Rule(key, Limit(taken), "", str(address), is_learnt=True)
            crowd = self._crowds[place] = Crowd(rule, reply, taken, now, now)
            self._count(place, crowd)
            self._set(crowd, taken, now)
        elif taken != crowd.most:
            self._set(crowd, taken, now)
        elif now >= crowd.more_at:
            self._wait(crowd, min(2 * crowd.wait_s, LONGEST_WAIT_S), now)
        crowd.reply, crowd.refused_at = reply, now
        return crowd

    def _set(self, crowd: Crowd, most: int, now: float) -> None:
        crowd.most = most
        crowd.rule = crowd.rule._replace(limit=Limit(most))
        self._wait(crowd, FIRST_WAIT_S, now)

    def _wait(self, crowd: Crowd, wait_s: float, now: float) -> None:
        crowd.wait_s = wait_s
        crowd.more_at = now + wait_s * (1 + JITTER * self._state.rng.random())

    def _count(self, place: Place, crowd: Crowd) -> None:
        """Let the sessions that are there count for the limit that they did not have when they were begun."""
        holding = self._state.holdings.of(crowd.rule)
        for session in self._sessions.get(place, ()):
            if holding not in session.holdings:
                session.holdings.append(holding)
                holding.used += 1
                holding.closing += session.state == "closing"

    def _wake(self, crowd: Crowd) -> None:
        """Let those who wait for a session look anew."""
        holding = self._state.holdings.by_key.get(crowd.rule.key)
        if holding is not None:
            holding.retry_at = 0.0
            self._state.freed[holding] = None

    def _forget(self, place: Place) -> None:
        crowd = self._crowds.pop(place, None)
        if crowd is not None:
            self._wake(crowd)

    def _drop_old(self, now: float) -> None:
        if len(self._crowds) > 10_000:
            for place, crowd in list(self._crowds.items()):
                if now > crowd.more_at + KEPT_S:
                    self._forget(place)


def _place_of(connection: PooledConnection) -> Place:
    address = connection.address
    return connection.queue.key.binding, address.ip, address.port
