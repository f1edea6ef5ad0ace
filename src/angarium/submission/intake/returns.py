"""Where the mail of a message comes back to. Pure."""

from angarium.core.submission import Submission
from angarium.identity.principal import Principal
from angarium.submission.intake.draft import MessageDraft


def return_domain_of(submission: Submission[Principal], draft: MessageDraft, shared: str | None) -> str:
    """Return the domain under which each recipient of a message has a return path of its own; empty: what comes back
    goes to the sender, as the envelope says. *shared* is the node's for all (`Bounce_Domain`).

    Who logs in has his bounces watched, unless an option says no (`Options.track_bounces`); who is known without a
    login, where it says yes; mail of nobody passes as it is. Chosen is the sender's own return path where he names one
    that leads here; else that of the author's domain, so that SPF speaks for the author (RFC 7489 §3.1.2); else
    *shared*, but not where SPF of the sender's own domain is all that speaks for the author.
    """
    envelope, principal, wanted = submission.envelope, submission.principal, draft.options.track_bounces
    if wanted is False or not envelope.reverse_path or (principal is None and not wanted):
        return ""
    if principal is not None:
        own = principal.return_paths
        if own and envelope.sender_domain in own.values():
            return envelope.sender_domain
        if draft.author_domain in own:
            return own[draft.author_domain]
    if shared is None or (not wanted and _rests_on_spf(principal, envelope.sender_domain, draft)):
        return ""
    return shared


def _rests_on_spf(principal: Principal | None, sender_domain: str, draft: MessageDraft) -> bool:
    """Whether no signature will speak for the author, and the envelope's sender may do so (RFC 7489 §3.1.2)."""
    author = draft.author_domain
    is_signed = principal is not None and author in principal.verified_domains
    if is_signed and draft.options.sign is not False:
        return False
    one, other = f".{sender_domain}", f".{author}"
    return bool(author) and (one.endswith(other) or other.endswith(one))
