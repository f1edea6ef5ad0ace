"""Mail as the journals tell of it, for tests of what is made of that."""

from angarium.core.ids import MessageId
from angarium.core.options import Options, TrackLinks
from angarium.core.records import Attempt, Event, EventType, Fact, Fate, ForwardPath, Message, Origin, State
from angarium.core.reply import Reply
from angarium.events.port import ReceivedMail
from angarium.events.summary import MailSummary

START = 1_796_000_000.0
DAY_S = 86_400.0


def an_id(number: int, at: float) -> MessageId:
    """The id of a message of that time."""
    return MessageId(int(at * 1000).to_bytes(6, "big") + number.to_bytes(10, "big"))


def reception(
    number: int,
    at: float = START,
    *,
    to: tuple[str, ...] = ("bob@example.com",),
    subject: str = "Your roof",
    author: str = "Shop <shop@example.org>",
    message_id: str = "",
    tags: tuple[str, ...] = (),
    stream: str | None = None,
    campaign: str | None = None,
    metadata: dict[str, object] | None = None,
    account: int = 0,
    server: int = 0,
    size: int = 1000,
    track_opens: bool | None = None,
    track_links: TrackLinks | None = None,
    binding: str = "default",
    fate: Fate = "deliver",
) -> ReceivedMail:
    """A message that was accepted, by number."""
    message = Message(
        id=an_id(number, at),
        received_at=at,
        reverse_path="bounces@shop.example.org",
        recipients=tuple(ForwardPath(address=each, domain=each.rpartition("@")[2]) for each in to),
        binding=binding,
        lane=0,
        tenant="a",
        trace=b"",
        body_size=size,
        origin=Origin(listener="submission"),
        account=account,
        server=server,
        options=Options(
            tags=tags or None,
            stream=stream,
            campaign=campaign,
            metadata=metadata,
            track_opens=track_opens,
            track_links=track_links,
        ),
        fate=fate,
    )
    return ReceivedMail(message, MailSummary(subject, author, message_id))


def event(
    of: ReceivedMail,
    type: EventType,
    state: State,
    seq: int = 1,
    *,
    index: int = 0,
    after_s: float = 1.0,
    reply: Reply | None = None,
    attempt: Attempt | None = None,
    domain: str = "",
    binding: str = "default",
) -> Event:
    """An event of a recipient, so many seconds after its message came."""
    return Event(
        type=type,
        at=of.message.received_at + after_s,
        message=of.message.id,
        index=index,
        seq=seq,
        state=state,
        binding=binding,
        domain=domain or of.message.recipients[index].domain,
        attempts=seq,
        due_at=of.message.received_at + after_s + 60,
        reply=reply,
        attempt=attempt,
    )


def fact(
    kind: str, of: ReceivedMail | None, number: int = 1, at: float = START + 100, **fields: object
) -> Fact:
    """A fact about the first recipient of a message, or about none."""
    message = None if of is None else of.message.id
    index = -1 if of is None else 0
    return Fact(kind=kind, id=an_id(1_000 + number, at), at=at, message=message, index=index, fields=fields)
