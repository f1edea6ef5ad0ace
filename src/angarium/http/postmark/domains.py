"""Postmark's API: sending domains, with the account's token."""

import asyncio
from typing import Any, Final

from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.http.postmark.call import Paged, PostmarkCall, page_of, refusals
from angarium.identity.domains.records import key_record, records_for
from angarium.identity.records import Domain, DomainKey
from angarium.sql.errors import NotFound

QUERY: Final = 500
MISSING: Final = (510, "The domain was not found.")
INVALID: Final = 511
TAKEN: Final = 512
NO_NAME: Final = 514
RENEWING: Final = 505
EMPTY: Final = 502
_BATCH: Final = 500


class DomainsQuery(Paged):
    """How much of the list."""


class DomainBody(Given):
    """A domain, made or changed."""

    name: str | None = None
    return_path_domain: str | None = None


def list_domains(call: PostmarkCall, query: DomainsQuery) -> dict[str, Any]:
    """List the sending domains of the account."""
    count, offset = page_of(query, QUERY, most=None)
    found: list[Domain] = []
    after: int | None = None
    while page := call.store.domains.page(call.account, after=after, limit=_BATCH):
        found += page
        after = page[-1].id
    shown = [_short(each) for each in found[offset : offset + count]]
    return {"TotalCount": len(found), "Domains": shown}


def show_domain(call: PostmarkCall, domain: int) -> dict[str, Any]:
    """Show a domain with the records to publish."""
    return domain_view(call, _found(call, domain))


def create_domain(call: PostmarkCall, body: DomainBody) -> dict[str, Any]:
    """Add a sending domain."""
    if body.name is None:
        raise PostmarkProblem(NO_NAME, "The 'Name' of a domain is required.")
    fields: dict[str, Any] = {}
    if body.return_path_domain is not None:
        fields["return_path"] = body.return_path_domain
    with refusals(conflict=TAKEN, invalid=INVALID):
        made = call.store.domains.create(call.account, body.name, actor=call.actor, **fields)
    return domain_view(call, made)


def change_domain(call: PostmarkCall, domain: int, body: DomainBody) -> dict[str, Any]:
    """Change where bounces of a domain come back to."""
    found = _found(call, domain)
    if body.return_path_domain is None:
        raise PostmarkProblem(EMPTY, "There is nothing to change: send a 'ReturnPathDomain'.")
    with refusals(missing=MISSING, conflict=TAKEN, invalid=INVALID):
        changed = call.store.domains.change(found.id, return_path=body.return_path_domain, actor=call.actor)
    return domain_view(call, changed)


def delete_domain(call: PostmarkCall, domain: int) -> dict[str, Any]:
    """Delete a domain with its keys."""
    found = _found(call, domain)
    call.store.domains.delete(found.id, actor=call.actor)
    return {"ErrorCode": 0, "Message": f"Domain {found.name} removed."}


async def verify_domain(call: PostmarkCall, domain: int) -> dict[str, Any]:
    """Ask the DNS for the records of a domain, those of keys and that of the return path at once."""
    found = await asyncio.to_thread(_found, call, domain)
    report = await call.check(found)
    checked = await asyncio.to_thread(
        call.store.domains.mark_checked,
        found.id,
        report.keys_found,
        call.clock.now(),
        return_path=report.return_path_found,
        actor=call.actor,
    )
    return domain_view(call, checked)


def verify_spf(call: PostmarkCall, domain: int) -> dict[str, Any]:
    """Tell of SPF, which the return path is for."""
    shown = domain_view(call, _found(call, domain))
    return {name: shown[name] for name in ("SPFHost", "SPFVerified", "SPFTextValue")}


def rotate_keys(call: PostmarkCall, domain: int) -> dict[str, Any]:
    """Make new keys; those of now sign until the new ones are found in the DNS."""
    found = _found(call, domain)
    with refusals(missing=MISSING, conflict=(RENEWING, "This DKIM is already being renewed.")):
        return domain_view(call, call.store.domains.rotate_keys(found.id, actor=call.actor))


def domain_view(call: PostmarkCall, domain: Domain) -> dict[str, Any]:
    """Return a domain as Postmark shows it: of its RSA keys, which is what Postmark has."""
    keys = {key.state: key for key in domain.keys if key.algorithm == "rsa"}
    records = {each.purpose: each for each in records_for(domain, call.hostname)}
    spf = records.get("spf")
    host, text = _published(domain, keys.get("active"))
    pending_host, pending_text = _published(domain, keys.get("pending"))
    old_host, old_text = _published(domain, keys.get("retired"))
    return {
        **_short(domain),
        "SPFHost": spf.name if spf is not None else "",
        "SPFTextValue": spf.value if spf is not None else "",
        "DKIMHost": host,
        "DKIMTextValue": text,
        "DKIMPendingHost": pending_host,
        "DKIMPendingTextValue": pending_text,
        "DKIMRevokedHost": old_host,
        "DKIMRevokedTextValue": old_text,
        "SafeToRemoveRevokedKeyFromDNS": bool(old_host),
        "DKIMUpdateStatus": "Pending" if pending_host else "Verified",
        "ReturnPathDomain": domain.return_path,
        "ReturnPathDomainCNAMEValue": call.hostname if domain.return_path else "",
    }


def _published(domain: Domain, key: DomainKey | None) -> tuple[str, str]:
    if key is None:
        return "", ""
    record = key_record(domain, key)
    return record.name, record.value


def _short(domain: Domain) -> dict[str, Any]:
    return {
        "ID": domain.id,
        "Name": domain.name,
        "SPFVerified": domain.return_path_seen_at is not None,
        "DKIMVerified": domain.verified_at is not None,
        "WeakDKIM": False,
        "ReturnPathDomainVerified": domain.return_path_seen_at is not None,
    }


def _found(call: PostmarkCall, domain: int) -> Domain:
    with refusals(missing=MISSING):
        found = call.store.domains.get(domain)
        if found.account != call.account:
            raise NotFound(f"domain {domain}")
        return found
