"""Where the opens and clicks of a message are tracked. Pure."""

from angarium.core.submission import Submission
from angarium.identity.principal import Principal
from angarium.render.tracking.mail import wants_tracking
from angarium.submission.intake.draft import MessageDraft


def tracking_url_of(submission: Submission[Principal], draft: MessageDraft, shared: str | None) -> str:
    """Return the scheme and host of what is tracked; empty: nothing is. *shared* is the node's (`Tracking_Domain`).

    Only for whom the operator knows: mail that passes is not changed for what somebody wrote into it.
    """
    is_vouched = submission.principal is not None or submission.is_known
    return shared if shared is not None and is_vouched and wants_tracking(draft.options) else ""
