"""The addresses of a domain's hosts, sorted into levels of equal preference, without those that may not be used."""

import hashlib
from collections.abc import Iterable, Sequence
from random import Random
from typing import Literal

from angarium.config.records import GlobalOptions
from angarium.config.values import NAMED_RANGES
from angarium.core.address import Address
from angarium.dns.records import Answer, Question
from angarium.queue.destination import numeric
from angarium.queue.hosts import RETRY_FAILED_S, HostDraft, MailHost, Ourselves
from angarium.queue.inside import faces, range_of
from angarium.queue.plan import Level

MAX_ADDRESSES_PER_HOST = 20


def addresses_of(
    draft: HostDraft, hosts: Sequence[str], answers: Iterable[tuple[Question, Answer]], rng: Random
) -> dict[str, list[str]]:
    """Return the addresses of each host that has some, noting TTLs and failures."""
    found: dict[str, list[str]] = {host: [ip] for host in hosts if (ip := numeric(host)) is not None}
    for (host, _), answer in answers:
        if answer.status == "failure":
            draft.ttls_s.append(RETRY_FAILED_S)
            draft.fail(451, "4.4.3", f"DNS gives no answer about the addresses of {host}: {answer.note}")
        elif answer.status == "found":
            draft.ttls_s.append(answer.ttl_s)
            ips = [ip for text in answer.texts if (ip := numeric(text)) is not None]
            found.setdefault(host, []).extend(rng.sample(ips, min(len(ips), MAX_ADDRESSES_PER_HOST)))
    return found


def levels_of(
    draft: HostDraft,
    addresses: dict[str, list[str]],
    settings: GlobalOptions,
    ourselves: Ourselves,
    rng: Random,
) -> tuple[Level, ...] | None:
    """Sort the usable addresses into levels. None, a failure noted, without any or with one that fails the domain."""
    ranked: dict[tuple[int, int], list[Address]] = {}
    seen: set[tuple[str, int]] = set()
    skipped = 0
    inside = ""
    for entry in draft.entries:
        for ip in addresses.get(entry.host, ()):
            barred = range_of(settings.prohibited_hosts, ip)
            fate = _fate(entry, ip, barred, settings, ourselves)
            if fate == "ours":
                draft.cut(entry.rank, entry.is_trusted)
            elif fate == "prohibited":
                draft.failures = []
                draft.refuse(entry.is_trusted, 551, "5.4.6", _barred(entry.host, ip, barred))
                return None
            elif fate == "inside":
                inside = inside or _barred(entry.host, ip, barred)
            elif fate == "skipped":
                skipped += 1
            elif (ip, entry.port) not in seen:
                seen.add((ip, entry.port))
                ranked.setdefault(entry.rank, []).append(Address(entry.host, ip, entry.port))
    levels: list[Level] = []
    for rank in sorted(ranked):
        if draft.loop_rank is None or rank < draft.loop_rank:
            preference = rank[1] if rank[0] == 0 else rank[0]
            levels += _split(preference, ranked[rank], settings.prefer_ipv6_mxs, rng)
    if not levels:
        _note_empty(draft, skipped, inside)
    return tuple(levels) or None


def _split(preference: int, addresses: list[Address], prefer_ipv6: bool, rng: Random) -> list[Level]:
    """Make one level, or two of the same preference where IPv6 goes first."""
    rng.shuffle(addresses)
    if not prefer_ipv6:
        return [Level(preference, tuple(addresses))]
    families = (
        [address for address in addresses if ":" in address.ip],
        [address for address in addresses if ":" not in address.ip],
    )
    return [Level(preference, tuple(family)) for family in families if family]


def _is_nowhere(ip: str) -> bool:
    """Whether no host can have this address: unspecified (that is ourselves), multicast or broadcast."""
    if ":" in ip:
        return ip == "::" or ip.startswith("ff")
    return ip.startswith("0.") or int(ip.split(".", 1)[0]) >= 224


def _fate(
    entry: MailHost, ip: str, barred: str | None, settings: GlobalOptions, ourselves: Ourselves
) -> Literal["ours", "inside", "prohibited", "skipped", "used"]:
    """Judge an address of *entry*; *barred* is the item of Prohibited_Hosts that holds it.

    Words keep strangers from sending us inside, so hosts of the configuration pass; a range holds for all but addresses
    that stand there themselves.
    """
    is_written = entry.is_trusted and not entry.is_listed and entry.host == ip
    if any(ourselves.listen_at(face, entry.port) for face in faces(ip)):
        return "ours"
    if barred in NAMED_RANGES:
        if not entry.is_trusted:
            return "inside"
    elif barred is not None and not is_written:
        return "prohibited"
    if _is_nowhere(ip) or (not is_written and settings.skip_hosts.contains(ip)):
        return "skipped"
    return "used"


def _barred(host: str, ip: str, range_: str | None) -> str:
    return f"{host} has the address {ip}, where Prohibited_Hosts ({range_}) lets no mail go"


def _note_empty(draft: HostDraft, skipped: int, inside: str) -> None:
    """Note the failure that explains best why there is no address."""
    if draft.loop_rank is not None:
        draft.failures = []
        if draft.loop_is_ours:  # a mistake in our configuration does not bounce mail
            draft.fail(451, "4.4.6", "the configured route leads back to this host")
        else:
            draft.fail(554, "5.4.6", "mail for this domain loops back to this host")
    elif skipped:
        draft.fail(454, "4.4.4", "all addresses of the domain's hosts are in Skip_Hosts")
    elif inside:
        draft.fail(551, "5.4.6", inside)
    elif not draft.failures or draft.entries:
        draft.fail(454, "4.4.4", _without_address(draft))


def _without_address(draft: HostDraft) -> str:
    if draft.ipv6_only:
        return f"{', '.join(draft.ipv6_only[:3])} has only IPv6 addresses, and Use_IPv6 is off"
    hosts = list(dict.fromkeys(entry.host for entry in draft.entries))
    named = f": {', '.join(hosts[:3])}" if hosts else ""
    return f"no host of the domain has an address{named}"


def site_of(method: str, levels: Sequence[Level]) -> str:
    """Name the destination by its hosts and their order: domains with the same MX set get the same name."""
    names = (
        ",".join(sorted({f"{address.host}:{address.port}" for address in level.addresses}))
        for level in levels
    )
    site = f"{method} {' '.join(names)}"
    if len(site) <= 200:
        return site
    return f"{site[:160]}… {hashlib.sha256(site.encode()).hexdigest()[:16]}"
