"""Which of several partitions a message is in, for as long as the message is in hand."""

from collections.abc import Iterable
from weakref import ReferenceType, ref

from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.spool.port import Spool


class Homes:
    """The partitions of messages that came from another than *usual*.

    An event names a message by its id alone, and is made by one that has the message: so what is known of an id may go
    with the last object that stands for it, and memory is bounded by what others hold.
    """

    def __init__(self, usual: Spool) -> None:
        self._usual = usual
        self._homes: dict[MessageId, _Home] = {}

    def __len__(self) -> int:
        return len(self._homes)

    def note(self, spool: Spool, messages: Iterable[Message]) -> None:
        """Note that *spool* handed out *messages*, each of them as often as it likes."""
        if spool is not self._usual:
            for message in {id(message): message for message in messages}.values():
                self._note(spool, message)

    def _note(self, spool: Spool, message: Message) -> None:
        message_id = message.id
        home = self._homes.setdefault(message_id, _Home(spool))

        def gone(reference: ReferenceType[Message]) -> None:
            del home.held[id(reference)]
            if not home.held:
                del self._homes[message_id]

        reference = ref(message, gone)
        home.held[id(reference)] = reference

    def of(self, message_id: MessageId) -> Spool:
        """Return the partition of a message that is in hand."""
        home = self._homes.get(message_id)
        return self._usual if home is None else home.spool


class _Home:
    """Where a message is. *held*: the objects that stand for it, by identity, since equal ones are equal."""

    __slots__ = ("held", "spool")

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.held: dict[int, ReferenceType[Message]] = {}
