"""Whether readers of a message find anything of ours in it, and where it leads. Pure."""

from typing import Final, NamedTuple

from angarium.core.submission import Submission
from angarium.identity.principal import DEFAULT_STREAM, Principal
from angarium.mime.header import HeaderBlock
from angarium.render.tracking.mail import wants_tracking
from angarium.submission.intake.draft import MessageDraft


class OfferedWayOut(NamedTuple):
    """Whether a message gets what its recipients unsubscribe by, and the footer of a text without a place for it."""

    is_offered: bool = False
    footer: str = ""


NO_WAY_OUT: Final = OfferedWayOut()


def way_out_of(submission: Submission[Principal], draft: MessageDraft, header: HeaderBlock) -> OfferedWayOut:
    """Return what a message gets: mail of a broadcast stream one, unless its senders have their own, it has a
    List-Unsubscribe of its own, or says that it is transactional.
    """
    principal, options = submission.principal, draft.options
    if principal is None or options.transactional:
        return NO_WAY_OUT
    stream = principal.streams.get(options.stream or DEFAULT_STREAM)
    if stream is None or stream.kind != "broadcast" or stream.unsubscribe == "sender":
        return NO_WAY_OUT
    return NO_WAY_OUT if header.has(b"list-unsubscribe") else OfferedWayOut(True, stream.footer)


def tracking_url_of(
    submission: Submission[Principal], draft: MessageDraft, shared: str | None, *, way_out: bool
) -> str:
    """Return the scheme and host of what readers find; empty: nothing. The name of the author's domain that leads here
    goes before *shared*, which is the node's (`Tracking_Domain`).

    Only for whom the operator knows: mail that passes is not changed for what somebody wrote into it.
    """
    is_vouched = submission.principal is not None or submission.is_known
    is_wanted = is_vouched and (way_out or wants_tracking(draft.options) or bool(draft.options.host_images))
    if not is_wanted:
        return ""
    own = submission.principal.tracking_urls if submission.principal is not None else {}
    return own.get(draft.author_domain) or shared or ""
