"""Managing sending domains: their keys, the DNS records to publish, and whether those are there."""

import asyncio
import time

import click

from angarium.cli.identity.options import page_options, yes_option
from angarium.cli.identity.pick import account_id, pick_account, pick_domain
from angarium.cli.identity.store import Opened, StorePlace, confirm, open_store, say, store_options
from angarium.cli.identity.words import (
    DOMAIN_COLUMNS,
    KEY_COLUMNS,
    domain_row,
    key_row,
    lines,
    record,
)
from angarium.cli.options import finish
from angarium.cli.output import print_json, print_lines, print_table
from angarium.cli.tables import clean
from angarium.dns.resolver import Resolver, resolver_settings
from angarium.identity.domains.check import DomainReport, RecordCheck, check_domain
from angarium.identity.domains.records import DnsRecord, records_for, tracking_host
from angarium.identity.records import Domain

_account_option = click.option("--account", help="Whose; needed when there are several.")


@click.group()
def domains_command() -> None:
    """Manage sending domains. Mail whose From domain is verified is signed. DOMAIN is an id or a name."""


@domains_command.command("add")
@click.argument("domain")
@click.option(
    "--return-path", default="bounces", show_default=True, help="Name under it that bounces come to."
)
@click.option("--tracking", default="", help="Name under it that readers' programs come by, as in clicks.")
@click.option("--tracking-https/--tracking-http", default=True, help="How they come by it.  [default: https]")
@_account_option
@store_options
def add_command(
    domain: str,
    return_path: str,
    tracking: str,
    tracking_https: bool,
    account: str | None,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Add a domain: makes an RSA-2048 and an Ed25519 key, and prints the DNS records to publish."""
    with open_store(place) as opened:
        owner = pick_account(opened.store, account)
        made = opened.store.domains.create(
            owner.id,
            domain,
            return_path=return_path,
            tracking=tracking,
            tracking_https=tracking_https,
            actor=opened.actor,
        )
        _print_records(opened, made, as_json)


@domains_command.command("records")
@click.argument("domain")
@_account_option
@store_options
def records_command(domain: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Print the DNS records of a domain as lines of a zone file."""
    with open_store(place) as opened:
        _print_records(opened, pick_domain(opened.store, domain, account), as_json)


def _print_records(opened: Opened, domain: Domain, as_json: bool) -> None:
    options = opened.config.globals
    found = records_for(domain, options.hostname, tracking_host=tracking_host(options.tracking_domain))
    if as_json:
        print_json({"domain": record(domain), "records": [_record(row) for row in found]})
        return
    for row in found:
        click.echo(f"; {row.note}{' (needed)' if row.required else ''}")
        click.echo(row.zone_line)
    click.echo(f"; then: angarium domains verify {domain.name}")


def _record(record: DnsRecord) -> dict[str, object]:
    return {
        "purpose": record.purpose,
        "name": record.name,
        "type": record.type,
        "value": record.value,
        "zone_line": record.zone_line,
        "note": record.note,
        "required": record.required,
        "key": record.key,
    }


@domains_command.command("list")
@click.option("--account", help="Those of this account only.")
@page_options
@store_options
def list_command(
    account: str | None, limit: int, after: int | None, place: StorePlace, as_json: bool
) -> None:
    """List domains with the state of their keys."""
    with open_store(place) as opened:
        found = opened.store.domains.page(account_id(opened.store, account), after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(DOMAIN_COLUMNS, [domain_row(domain, time.time()) for domain in found])


@domains_command.command("show")
@click.argument("domain")
@_account_option
@store_options
def show_command(domain: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Show a domain and its keys."""
    with open_store(place) as opened:
        found = pick_domain(opened.store, domain, account)
    if as_json:
        print_json(record(found))
        return
    print_lines(lines(found, time.time()))
    click.echo()
    print_table(KEY_COLUMNS, [key_row(key, time.time()) for key in found.keys])


@domains_command.command("verify")
@click.argument("domain")
@_account_option
@store_options
def verify_command(domain: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Ask the DNS for the records of a domain and say what to do. Exit code 1 when it is not verified."""
    with open_store(place) as opened:
        found = pick_domain(opened.store, domain, account)
        report = asyncio.run(_check(opened, found))
        now = time.time()
        checked = opened.store.domains.mark_checked(
            found.id,
            report.keys_found,
            now,
            return_path=report.return_path_found,
            tracking=report.tracking_found,
            actor=opened.actor,
        )
    if as_json:
        checks = [_check_record(check) for check in report.checks]
        print_json({"domain": record(checked), "checks": checks})
    else:
        for check in report.checks:
            _print_check(check)
        click.echo(_verdict(checked))
    finish(checked.verified_at is not None)


async def _check(opened: Opened, domain: Domain) -> DomainReport:

    options = opened.config.globals
    resolver = Resolver(resolver_settings(options))
    try:
        return await check_domain(
            domain,
            resolver,
            hostname=options.hostname,
            tracking_host=tracking_host(options.tracking_domain),
        )
    finally:
        await resolver.close()


def _print_check(check: RecordCheck) -> None:
    click.echo(clean(f"{check.status:<8} {check.record.type:<5} {check.record.name}"))
    if check.status == "wrong":
        for found in check.found:
            click.echo(clean(f"    there is: {found}"))
    if check.advice:
        click.echo(clean(f"    {check.advice}"))


def _check_record(check: RecordCheck) -> dict[str, object]:
    return {
        "record": _record(check.record),
        "status": check.status,
        "found": check.found,
        "advice": check.advice,
    }


def _verdict(domain: Domain) -> str:
    if domain.verified_at is None:
        return f"{domain.name} is not verified: none of its keys was found in the DNS, and its mail is not signed"
    signing = sum(1 for key in domain.keys if key.state == "active")
    told = [f"{domain.name} is verified; its mail is signed with {signing} of its keys"]
    if domain.return_path_seen_at is not None:
        told.append(f"bounces come back to {domain.return_path}")
    if domain.tracking_seen_at is not None:
        told.append(f"readers' programs come by {domain.tracking}")
    *others, last = told
    return f"{', '.join(others)}, and {last}" if others else last


@domains_command.command("change")
@click.argument("domain")
@click.option("--return-path", help="Name under it that bounces come to; an empty one is none.")
@click.option("--tracking", help="Name under it that readers' programs come by; an empty one is none.")
@click.option("--tracking-https/--tracking-http", default=None, help="How they come by it.")
@_account_option
@store_options
def change_command(
    domain: str, account: str | None, place: StorePlace, as_json: bool, **given: str | bool | None
) -> None:
    """Change where bounces come to and readers' programs come by, and print the records to publish."""
    said = {name: value for name, value in given.items() if value is not None}
    if not said:
        raise click.UsageError("say what to change: --return-path, --tracking, --tracking-https")
    with open_store(place) as opened:
        found = pick_domain(opened.store, domain, account)
        made = opened.store.domains.change(found.id, actor=opened.actor, **said)
        _print_records(opened, made, as_json)


@domains_command.command("rotate")
@click.argument("domain")
@_account_option
@store_options
def rotate_command(domain: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Make new keys and print their records. The old ones sign until `verify` finds the new."""
    with open_store(place) as opened:
        found = pick_domain(opened.store, domain, account)
        _print_records(opened, opened.store.domains.rotate_keys(found.id, actor=opened.actor), as_json)


@domains_command.command("disable")
@click.argument("domain")
@_account_option
@store_options
def disable_command(domain: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Sign no mail of a domain, and let it count as not verified."""
    _switch(domain, account, place, as_json, enabled=False)


@domains_command.command("enable")
@click.argument("domain")
@_account_option
@store_options
def enable_command(domain: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Use a disabled domain again."""
    _switch(domain, account, place, as_json, enabled=True)


def _switch(domain: str, account: str | None, place: StorePlace, as_json: bool, *, enabled: bool) -> None:
    with open_store(place) as opened:
        found = pick_domain(opened.store, domain, account)
        made = opened.store.domains.change(found.id, actor=opened.actor, enabled=enabled)
    say(f"domain {made.name} {'enabled' if enabled else 'disabled'}", as_json, record(made))


@domains_command.command("delete")
@click.argument("domain")
@_account_option
@yes_option
@store_options
def delete_command(domain: str, account: str | None, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete a domain with its keys. Their records in the DNS are of no use any more."""
    with open_store(place) as opened:
        found = pick_domain(opened.store, domain, account)
        confirm(f"Domain {found.name} is deleted, with its keys ({len(found.keys)}).", yes)
        opened.store.domains.delete(found.id, actor=opened.actor)
    say(f"domain {found.name} deleted", as_json, {"deleted": found.id})
