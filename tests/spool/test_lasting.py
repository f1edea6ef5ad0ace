"""What an event takes for as long as its recipient waits: nothing for what was said, which the recorder has."""

from msgspec.structs import replace

from angarium.core.records import Attempt
from angarium.spool.codec import decode_event, encode, lasting
from angarium.testing.happenings import START, event, reception

SAID = ("C: RCPT TO:<bob@example.com>", "S: 451 later")


def test_what_waits_is_kept_without_what_was_said() -> None:
    mail = reception(1)
    tried = Attempt(started_at=START, stage="rcpt", host="mx.example.com", dialogue=SAID)
    failed = event(mail, "delayed", "queued", attempt=tried)
    kept = decode_event(lasting(failed, encode(failed)))
    assert kept == replace(failed, attempt=replace(tried, dialogue=()))


def test_what_has_no_dialogue_is_kept_as_it_is() -> None:
    data = b"as it was encoded"
    assert lasting(event(reception(1), "held", "held"), data) is data
