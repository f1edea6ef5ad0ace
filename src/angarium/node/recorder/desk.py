"""Mail to this node on the recorder's desk: read, told to the worker that has it, and kept in mind until it has ended.

What a mail says is written into the journal of the worker that took it, with its end behind it, and comes from there
into the event store like all that happens: the journals have everything, and whatever reads them gets the same. A mail
that has not ended holds its journal, so that it is read once more after a crash; a worker writes nothing of one that
has ended. So each fact is there once, whoever is killed when.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future

from angarium.core.clock import Clock
from angarium.core.ids import MessageId
from angarium.core.records import Fact, Message
from angarium.engine.to_us import ReadMail

AT_ONCE = 200
MOST = 2_000
MOST_BYTES = 32 << 20
"""So many may be on the desk, and so much text that is not read yet; then the journals are read no further for now."""
FIRST_WAIT_S = 0.5
LAST_WAIT_S = 30.0

Reader = Callable[[Message, bytes], list[Fact]]
"""Says what a mail says: `feedback.matching.facts_of`, with what it needs."""

End = Callable[[list[ReadMail]], "Future[list[MessageId]]"]
"""Has workers write down what was read; the result are those that have ended."""


class _Lying:
    """A mail on the desk. *owner* is the follower that has brought it, *place* that of the record before it."""

    __slots__ = ("body", "due_at", "message", "owner", "place", "read", "wait_s")

    def __init__(self, owner: object, place: int, message: Message, body: bytes) -> None:
        self.owner = owner
        self.place = place
        self.message = message
        self.body = body
        self.read: ReadMail | None = None
        self.due_at = 0.0
        self.wait_s = FIRST_WAIT_S


class FeedbackDesk:
    """For the recorder's thread."""

    def __init__(self, reader: Reader, end: End, clock: Clock) -> None:
        self._reader = reader
        self._end = end
        self._clock = clock
        self._lying: dict[MessageId, _Lying] = {}
        self._unread_bytes = 0
        self._asked: tuple[list[_Lying], Future[list[MessageId]]] | None = None

    def __len__(self) -> int:
        """How many mails have not ended yet."""
        return len(self._lying)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be brought for now."""
        return len(self._lying) >= MOST or self._unread_bytes >= MOST_BYTES

    def came(self, owner: object, place: int, message: Message, body: bytes) -> None:
        """Take a mail that stands behind the record at *place* of the journal that *owner* follows."""
        if message.id not in self._lying:
            self._lying[message.id] = _Lying(owner, place, message, body)
            self._unread_bytes += len(body)

    def ended(self, message: MessageId) -> None:
        """This mail has ended, as a journal says or a worker."""
        lying = self._lying.pop(message, None)
        if lying is not None:
            self._unread_bytes -= len(lying.body)

    def before(self, owner: object) -> int | None:
        """Return the place up to which no mail of *owner*'s journal is open; None: there is none that is."""
        return min((each.place for each in self._lying.values() if each.owner is owner), default=None)

    def forget(self, owner: object) -> None:
        """What *owner* has brought comes once more."""
        for id in [id for id, each in self._lying.items() if each.owner is owner]:
            self.ended(id)

    def work(self) -> bool:
        """Read what has come, and have ended what was read; return whether anything was done. Waits for nobody. Raises
        EventStoreError.
        """
        done = self._hear()
        if self._asked is None:
            now = self._clock.now()
            due = [each for each in self._lying.values() if each.due_at <= now][:AT_ONCE]
            if due:
                self._asked = due, self._end([self._read(each) for each in due])
                return True
        return done

    def _read(self, lying: _Lying) -> ReadMail:
        if lying.read is None:
            lying.read = ReadMail(lying.message.id, self._reader(lying.message, lying.body))
            self._unread_bytes -= len(lying.body)
            lying.body = b""
        return lying.read

    def _hear(self) -> bool:
        """Take what the workers have said, if they have; what has not ended is told again after a while."""
        if self._asked is None or not self._asked[1].done():
            return False
        asked, future = self._asked
        self._asked = None
        ended: Iterable[MessageId] = () if future.exception() is not None else future.result()
        for message in ended:
            self.ended(message)
        for each in asked:
            each.due_at = self._clock.now() + each.wait_s
            each.wait_s = min(LAST_WAIT_S, each.wait_s * 2)
        return True
