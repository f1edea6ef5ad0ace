"""The manage API: sending domains, their DNS records and signing keys."""

import asyncio
import time
from typing import Literal

import msgspec

from angarium.http.manage.bodies import DomainChange, DomainNew, changes
from angarium.http.manage.call import AccountQuery, Call, PageQuery
from angarium.http.manage.views import DomainView, Page, domain_view
from angarium.identity.domains.check import DomainReport, RecordCheck
from angarium.identity.domains.records import DnsRecord, Purpose, RecordKind, records_for
from angarium.identity.records import Domain


class RecordView(msgspec.Struct, frozen=True):
    """A DNS record to publish. *zone_line*: it as a line of a zone file. Without a *required* one nothing is signed."""

    purpose: Purpose
    name: str
    type: RecordKind
    value: str
    zone_line: str
    note: str
    required: bool
    key: int | None


class CheckView(msgspec.Struct, frozen=True):
    """What became of one record. *advice* says what to do; `unknown`: the DNS could not be asked."""

    record: RecordView
    status: Literal["found", "missing", "wrong", "unknown"]
    found: tuple[str, ...]
    advice: str


class ReportView(msgspec.Struct, frozen=True):
    """What was seen of all records, and the domain as it stands from then on."""

    domain: DomainView
    checks: tuple[CheckView, ...]


def list_domains(call: Call, query: AccountQuery) -> Page[DomainView]:
    """List sending domains."""
    rows = call.store.domains.page(call.listed(query.account), after=query.after, limit=query.limit + 1)
    return call.page(rows, query, domain_view, lambda row: row.id)


def create_domain(call: Call, body: DomainNew) -> DomainView:
    """Add a sending domain; it gets an RSA-2048 and an Ed25519 key. See its records for what to publish."""
    account = call.account_of(body.account)
    made = call.store.domains.create(
        account,
        body.name,
        return_path=body.return_path,
        tracking=body.tracking,
        tracking_https=body.tracking_https,
        actor=call.actor,
    )
    return domain_view(made)


def show_domain(call: Call, domain: int) -> DomainView:
    """Show a sending domain."""
    return domain_view(_seen(call, domain))


def change_domain(call: Call, domain: int, body: DomainChange) -> DomainView:
    """Change a sending domain; while disabled, its mail is not signed."""
    fields = changes(body, _seen(call, domain))
    return domain_view(call.store.domains.change(domain, actor=call.actor, **fields))


def delete_domain(call: Call, domain: int) -> None:
    """Delete a sending domain with its keys."""
    _seen(call, domain)
    call.store.domains.delete(domain, actor=call.actor)


def domain_records(call: Call, domain: int, query: PageQuery) -> Page[RecordView]:
    """List the DNS records to publish for a domain."""
    found = records_for(_seen(call, domain), call.hostname, tracking_host=call.tracking_host)
    return call.part([record_view(record) for record in found], query)


async def verify_domain(call: Call, domain: int) -> ReportView:
    """Ask the DNS for the records of a domain. Keys that are found sign from then on."""
    found = await asyncio.to_thread(_seen, call, domain)
    report = await call.check(found)
    checked = await asyncio.to_thread(_note, call, domain, report)
    return ReportView(domain_view(checked), tuple(check_view(check) for check in report.checks))


def rotate_domain(call: Call, domain: int) -> DomainView:
    """Make new keys. The old ones sign until the new are found in the DNS."""
    _seen(call, domain)
    return domain_view(call.store.domains.rotate_keys(domain, actor=call.actor))


def record_view(record: DnsRecord) -> RecordView:
    """Return a record as it is shown."""
    return RecordView(
        record.purpose,
        record.name,
        record.type,
        record.value,
        record.zone_line,
        record.note,
        record.required,
        record.key,
    )


def check_view(check: RecordCheck) -> CheckView:
    """Return what became of a record as it is shown."""
    return CheckView(record_view(check.record), check.status, check.found, check.advice)


def _seen(call: Call, domain: int) -> Domain:
    found = call.store.domains.get(domain)
    call.sees(found.account, f"domain {domain}")
    return found


def _note(call: Call, domain: int, report: DomainReport) -> Domain:
    return call.store.domains.mark_checked(
        domain,
        report.keys_found,
        time.time(),
        return_path=report.return_path_found,
        tracking=report.tracking_found,
        actor=call.actor,
    )
