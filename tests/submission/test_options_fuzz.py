"""Whatever a header holds, it is answered, and no instruction in it is stored."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.dialects.headers import PREFIXES, option_spans
from angarium.identity.limits import Limits
from angarium.identity.records import Kind
from angarium.mime.header import HeaderBlock
from angarium.testing.intake import STRANGER, IntakeDesk, a_principal

KINDS: list[Kind | None] = ["api_key", "server_token", "smtp_token", "smtp_login", "person", None]

fields = st.sampled_from(
    [
        b"From: a@example.org\r\n",
        b"From : b@example.com,\r\n c@example.org\r\n",
        b"From:\r\n",
        b"X-PM-Tag: a\r\n",
        b"X-PM-Tag\r\n",
        b"X-PM-Metadata-k: v\r\n",
        b"X-PM-Message-Stream: broadcast\r\n",
        b"X-PM-KeepID: false\r\n",
        b"x-smtpeter-tags \t: \xff\r\n\tfolded\r\n",
        b'X-MSYS-API: {"cc": ["c@example.com"],\r\n "bcc": ["b@example.com"]}\r\n',
        b"X-MSYS-API: [\r\n",
        b"Cc: x@example.com\n",
        b"Bcc: y@example.com\r\n z\r\n",
        b"Message-ID: <m@example.org>\r\n",
        b"Subject: x\r",
        b" no field\r\n",
        b"neither\r\n",
        b"\r\n",
    ]
)
headers = st.lists(fields | st.binary(max_size=8), max_size=8).map(b"".join)


@pytest.mark.slow
@given(headers, st.sampled_from(KINDS), st.booleans(), st.integers(1, 50) | st.none())
@settings(max_examples=300)
def test_every_message_is_answered_and_keeps_no_instruction(
    tmp_path_factory: pytest.TempPathFactory,
    header: bytes,
    kind: Kind | None,
    is_near: bool,
    pieces: int | None,
) -> None:
    async def story(folder: Path) -> None:
        desk = IntakeDesk(folder)
        principal = a_principal(kind, limits=Limits(sender_domains="verified")) if kind else None
        text = header + b"\r\nbody \xe4\r\n"
        peer = {} if is_near else {"peer": STRANGER}
        taken = await desk.submit(text, principal=principal, pieces=pieces, **peer)
        assert taken.reply.code in (250, 550)
        assert bool(taken.entered) == (taken.reply.code == 250)
        for message, body in taken.entered:
            stored = HeaderBlock.scan(body)
            assert option_spans(stored) == ()
            assert not any(field.name.startswith(PREFIXES) for field in stored.fields())
            assert principal is None or not stored.has(b"bcc")
            assert message.body_size == len(body)
            assert message.eight_bit == (not (body.isascii() and message.trace.isascii()))
            assert _ends_in_lines(message.trace)
        assert desk.files >= {
            f"{(message.content or message.id).hex()}.body" for message, _ in taken.entered if pieces
        }

    asyncio.run(story(tmp_path_factory.mktemp("desk")))


def _ends_in_lines(trace: bytes) -> bool:
    """Whether *trace* is whole fields, so that what follows is still a header block."""
    block = HeaderBlock.scan(trace)
    return (
        trace.endswith(b"\r\n") and not block.is_complete and b"".join(f.raw for f in block.fields()) == trace
    )
