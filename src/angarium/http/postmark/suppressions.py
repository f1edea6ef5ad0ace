"""Postmark's API: who must not get the mail of a stream."""

from typing import Any, Final

from angarium.dialects.postmark.dates import moment
from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.http.postmark.call import PostmarkCall
from angarium.http.postmark.streams import found_stream
from angarium.identity.records import Stream
from angarium.sql.errors import Invalid
from angarium.suppressions.address import address_of
from angarium.suppressions.records import (
    ALL_BROADCAST,
    ALL_TRANSACTIONAL,
    EVERYTHING,
    Cause,
    CauseFilter,
    NewCause,
    Reason,
    stream_scope,
)

MOST_CHANGED: Final = 50
_BATCH: Final = 1_000
_REASONS: Final[dict[Reason, str]] = {
    "hard_bounce": "HardBounce",
    "complaint": "SpamComplaint",
    "unsubscribe": "ManualSuppression",
    "manual": "ManualSuppression",
    "compliance": "ManualSuppression",
}
_ORIGINS: Final = ("recipient", "customer", "admin")
NO_ADDRESS: Final = "An invalid email address was provided."
NO_RIGHT: Final = "You do not have the required authority to change this suppression."


class DumpQuery(Given):
    """Which are told."""

    suppression_reason: str | None = None
    origin: str | None = None
    from_date: str | None = None
    to_date: str | None = None
    email_address: str | None = None


class GivenAddress(Given):
    """One address."""

    email_address: str | None = None


class GivenSuppressions(Given):
    """Addresses that are to be suppressed, or no more."""

    suppressions: list[GivenAddress] | None = None


def dump_suppressions(call: PostmarkCall, stream: str, query: DumpQuery) -> dict[str, Any]:
    """Tell all addresses that get no mail of a stream."""
    found = found_stream(call, stream)
    _check(query)
    since, until = call.bounds(query.from_date, query.to_date, 1403)
    shown: dict[str, dict[str, Any]] = {}
    for cause in _standing(call, found, query):
        is_meant = (since is None or cause.at >= since) and (until is None or cause.at < until)
        if is_meant and _is_asked(cause, query):
            shown.setdefault(cause.what, suppression_view(cause))
    return {"Suppressions": list(shown.values()), "TotalCount": len(shown)}


def create_suppressions(call: PostmarkCall, stream: str, body: GivenSuppressions) -> dict[str, Any]:
    """Suppress addresses in a stream."""
    found, now = found_stream(call, stream), call.clock.now()
    answers = []
    for said in _addresses(body):
        try:
            what = address_of(said)
        except Invalid:
            answers.append(_changed(said, "Failed", NO_ADDRESS))
            continue
        scope = stream_scope(call.server.id, found.id)
        cause = NewCause(account=call.account, what=what, scope=scope, reason="manual", origin="api", at=now)
        call.store.suppressions.add([cause], actor=call.actor)
        answers.append(_changed(said, "Suppressed"))
    return {"Suppressions": answers}


def delete_suppressions(call: PostmarkCall, stream: str, body: GivenSuppressions) -> dict[str, Any]:
    """Take addresses off the list of a stream; complaints stay."""
    found = found_stream(call, stream)
    return {"Suppressions": [_deleted(call, found, said) for said in _addresses(body)]}


def _deleted(call: PostmarkCall, stream: Stream, said: str) -> dict[str, Any]:
    try:
        what = address_of(said)
    except Invalid:
        return _changed(said, "Failed", NO_ADDRESS)
    scopes = _scopes(call, stream)
    standing = [each for each in call.store.suppressions.standing(what, call.account) if each.scope in scopes]
    if any(each.reason in ("complaint", "compliance") or each.account is None for each in standing):
        return _changed(said, "Failed", NO_RIGHT)
    entries = [
        NewCause(
            account=call.account, what=what, scope=scope, reason="manual", origin="api", at=call.clock.now()
        )
        for scope in sorted({each.scope for each in standing})
    ]
    if entries:
        call.store.suppressions.allow(entries, actor=call.actor)
    return _changed(said, "Deleted")


def is_suppressed(call: PostmarkCall, address: str, stream: str) -> bool:
    """Whether an address gets no mail of a stream, by its id."""
    try:
        what = address_of(address)
    except Invalid:
        return False
    known = call.principal.streams.get(stream)
    scopes = _scopes(call, known) if known is not None else (EVERYTHING, stream_scope(call.server.id, stream))
    return any(each.scope in scopes for each in call.store.suppressions.standing(what, call.account))


def suppression_view(cause: Cause) -> dict[str, Any]:
    """Return a suppression as Postmark shows it."""
    return {
        "EmailAddress": cause.what,
        "SuppressionReason": _REASONS[cause.reason],
        "Origin": _origin(cause),
        "CreatedAt": moment(cause.at),
    }


def _origin(cause: Cause) -> str:
    if cause.origin == "recorder":
        return "Recipient"
    return "Admin" if cause.reason == "compliance" else "Customer"


def _standing(call: PostmarkCall, stream: Stream, query: DumpQuery) -> list[Cause]:
    """Return what suppresses addresses in a stream, the oldest first."""
    chosen = CauseFilter(
        accounts=(call.account,),
        scopes=_scopes(call, stream),
        what=_what(query.email_address),
        effect="suppress",
        standing_at=call.clock.now(),
    )
    found: list[Cause] = []
    after: int | None = None
    while page := call.store.suppressions.page(chosen, after, _BATCH):
        found += [each for each in page if each.kind == "address"]
        after = page[-1].id
    return found


def _scopes(call: PostmarkCall, stream: Stream) -> tuple[str, ...]:
    of_kind = ALL_TRANSACTIONAL if stream.kind == "transactional" else ALL_BROADCAST
    return (stream_scope(call.server.id, stream.id), of_kind, EVERYTHING)


def _is_asked(cause: Cause, query: DumpQuery) -> bool:
    reason, origin = query.suppression_reason, query.origin
    return (reason is None or _REASONS[cause.reason].lower() == reason.lower()) and (
        origin is None or _origin(cause).lower() == origin.lower()
    )


def _check(query: DumpQuery) -> None:
    reason, origin = query.suppression_reason, query.origin
    if reason is not None and reason.lower() not in {each.lower() for each in _REASONS.values()}:
        raise PostmarkProblem(
            1404, "The 'SuppressionReason' must be HardBounce, SpamComplaint or ManualSuppression."
        )
    if origin is not None and origin.lower() not in _ORIGINS:
        raise PostmarkProblem(1405, "The 'Origin' must be Recipient, Customer or Admin.")


def _what(address: str | None) -> str | None:
    try:
        return None if address is None else address_of(address)
    except Invalid:
        return address


def _addresses(body: GivenSuppressions) -> list[str]:
    given = body.suppressions
    if not given:
        raise PostmarkProblem(
            1409, "The 'Suppressions' are missing: send a list with an 'EmailAddress' each."
        )
    if len(given) > MOST_CHANGED:
        raise PostmarkProblem(
            1410, f"There may be {MOST_CHANGED} suppressions in one request, not {len(given)}."
        )
    if any(each.email_address is None for each in given):
        raise PostmarkProblem(1411, "The 'EmailAddress' of a suppression is missing.")
    return [each.email_address or "" for each in given]


def _changed(address: str, status: str, message: str | None = None) -> dict[str, Any]:
    return {"EmailAddress": address, "Status": status, "Message": message}
