"""Whether a message is taken, by which binding it leaves, and who gets copies of it. Pure but for the binding drawn."""

import random
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec

from angarium.config.model import Config
from angarium.core.records import ForwardPath, Origin
from angarium.core.submission import Problem, Reason, Submission
from angarium.dialects.table import takes_mistakes
from angarium.identity.principal import Principal, options_for
from angarium.mime.header import HeaderBlock
from angarium.queue.binding import DEFAULT, BindingFacts, choose_binding, member_of
from angarium.submission.intake.bounds import copies_problems, recipient_problems
from angarium.submission.intake.copies import NO_COPIES, Copies, plan_copies
from angarium.submission.intake.draft import MessageDraft, dialect_of
from angarium.submission.intake.returns import return_domain_of
from angarium.submission.intake.tracking import NO_WAY_OUT, OfferedWayOut, tracking_url_of, way_out_of


class Decision(NamedTuple):
    """What becomes of a message: with anything *refused* it is not taken; with anything *failing* it is taken only to
    be reported as failed, and has no copies. *return_domain* and *tracking_url* are those of
    `Message`.
    """

    binding: str = DEFAULT
    copies: Copies = NO_COPIES
    return_domain: str = ""
    tracking_url: str = ""
    way_out: OfferedWayOut = NO_WAY_OUT
    refused: tuple[Problem, ...] = ()
    failing: tuple[Problem, ...] = ()


def decide(
    config: Config,
    submission: Submission[Principal],
    uncounted: Sequence[ForwardPath],
    draft: MessageDraft,
    header: HeaderBlock,
    size: int,
    rng: random.Random,
) -> Decision:
    """Decide about a message that is stored in *size* bytes. *uncounted* are recipients that no door has looked at."""
    problems = draft.problems
    binding = binding_of(config, submission, draft, header, rng)
    if not isinstance(binding, str):
        problems, binding = (*problems, binding), DEFAULT
    copies = plan_copies(submission.envelope.recipients, draft.wishes) if draft.wishes else NO_COPIES
    if copies is not NO_COPIES or uncounted:
        problems += recipient_problems(submission, uncounted, copies)
        problems += copies_problems(copies, size, config.globals.spool_max_journal_size)
    if not problems:  # as is usual
        way_out = way_out_of(submission, draft, header)
        return Decision(
            binding,
            copies,
            return_domain_of(submission, draft, config.globals.bounce_domain),
            tracking_url_of(submission, draft, config.globals.tracking_domain, way_out=way_out.is_offered),
            way_out,
        )
    refused = problems if submission.by_request else _refused(problems, submission.principal)
    return Decision(refused=refused) if refused else Decision(binding, failing=problems)


def _refused(problems: tuple[Problem, ...], principal: Principal | None) -> tuple[Problem, ...]:
    """Return those of *problems* for which a message is refused; with none it is taken to be reported as failed.

    The server decides where it has a say (`Server.on_error`), else the dialect in which a problem was said. Without a
    login the sender would not see the report of a failure, so everything is refused.
    """
    wish = "refuse" if principal is None else "vendor"
    if principal is not None and principal.server is not None:
        wish = principal.server.on_error
    return tuple(
        problem
        for problem in problems
        if not problem.dialect or wish == "refuse" or (wish == "vendor" and not takes_mistakes(problem))
    )


def binding_of(
    config: Config,
    submission: Submission[Principal],
    draft: MessageDraft,
    header: HeaderBlock,
    rng: random.Random,
) -> str | Problem:
    """Return the binding that the options name (of a group one member), else the one that the rules choose."""
    name = draft.options.binding
    if name is None:
        if not config.binding_rules:  # as is usual
            return DEFAULT
        origin, domain = submission.origin, submission.envelope.sender_domain
        facts = BindingFacts(origin.listener, peer_ip(origin), domain, partial(_value, header))
        return choose_binding(config, facts, rng)
    is_asked = draft.asked.binding == name
    if is_asked:
        problem = _confined(config, submission.principal, draft)
        if problem is not None:
            return problem
    if name in config.bindings:
        return name
    if name in config.groups:
        return member_of(config, name, rng)
    if is_asked:
        return Problem(Reason.UNKNOWN_BINDING, value=name, dialect=dialect_of(draft.wishes, "binding"))
    return Problem(Reason.LOGIN_BINDING, value=name)


def _confined(config: Config, principal: Principal | None, draft: MessageDraft) -> Problem | None:
    """Hold the binding that a message names against the one its login is set to: that, or one of that group."""
    if principal is None:
        return None
    named = draft.asked.binding
    bound = options_for(principal, msgspec.structs.replace(draft.asked, binding=None)).binding
    if bound is None or named == bound or named in config.groups.get(bound, ()):
        return None
    return Problem(Reason.BINDING, value=bound, dialect=dialect_of(draft.wishes, "binding"))


def _value(header: HeaderBlock, name: str) -> str | None:
    """Return the value of a header field for the binding rules."""
    field = name.encode("ascii", "replace")
    return header.first(field) if header.has(field) else None


def peer_ip(origin: Origin) -> str:
    """Return the numeric address of the peer, empty for a Unix socket."""
    return _ip_of(origin.peer)


@lru_cache(4096)
def _ip_of(peer: str) -> str:
    return peer.rpartition(":")[0].strip("[]")
