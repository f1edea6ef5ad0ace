"""A mail that says by a field of its header that it may come twice, and is meant once."""

import asyncio
from collections.abc import Iterator

from angarium.core.body import LargeBody
from angarium.core.records import KeyedAnswer
from angarium.core.submission import Raw
from angarium.submission.intake.prepared import PreparedMail
from angarium.submission.keys.claim import KeyClaim, claim_of, until_of

_PIECE_BYTES = 1 << 20


async def mail_claim(found: PreparedMail) -> KeyClaim:
    """Return the claim of a mail: what is asked is its envelope and its text, as it came."""
    principal = found.submission.principal
    assert principal is not None
    if isinstance(found.body, LargeBody):
        return await asyncio.to_thread(claim_of, principal, found.draft.key, _asked(found))
    return claim_of(principal, found.draft.key, _asked(found))


def mail_answer(found: PreparedMail, claim: KeyClaim) -> KeyedAnswer:
    """Return what is kept of a mail that is taken: its id."""
    until = until_of(found.at, (found.message.due_at,))
    return KeyedAnswer(
        key=claim.key, digest=claim.digest, status=250, media_type="", body=found.message.id, until=until
    )


def _asked(found: PreparedMail) -> Iterator[bytes]:
    envelope, content = found.submission.envelope, found.submission.content
    paths = (path.address for path in envelope.recipients)
    yield "\0".join(("smtp", envelope.reverse_path, *paths, "")).encode("utf-8", "surrogateescape")
    assert isinstance(content, Raw)
    yield content.head
    if isinstance(content.body, LargeBody):
        with content.body.path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
