"""Whether readers of a message find anything of ours in it, and where it leads. Pure."""

from angarium.core.submission import Submission
from angarium.identity.principal import DEFAULT_STREAM, Principal
from angarium.mime.header import HeaderBlock
from angarium.render.tracking.mail import wants_tracking
from angarium.submission.intake.draft import MessageDraft


def offers_way_out(submission: Submission[Principal], draft: MessageDraft, header: HeaderBlock) -> bool:
    """Whether a message gets what its recipients unsubscribe by: mail of a broadcast stream, unless it has a
    List-Unsubscribe of its own, or says that it is transactional.
    """
    principal, options = submission.principal, draft.options
    if principal is None or options.transactional:
        return False
    stream = principal.streams.get(options.stream or DEFAULT_STREAM)
    return stream is not None and stream.kind == "broadcast" and not header.has(b"list-unsubscribe")


def tracking_url_of(
    submission: Submission[Principal], draft: MessageDraft, shared: str | None, *, way_out: bool
) -> str:
    """Return the scheme and host of what readers find; empty: nothing. *shared* is the node's (`Tracking_Domain`).

    Only for whom the operator knows: mail that passes is not changed for what somebody wrote into it.
    """
    is_vouched = submission.principal is not None or submission.is_known
    is_wanted = is_vouched and (way_out or wants_tracking(draft.options) or bool(draft.options.host_images))
    return shared if shared is not None and is_wanted else ""
