"""Looking in the DNS whether what a sending domain needs is published, and saying what to do where it is not.

A name server that does not answer is no news: what was verified before stays so.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from angarium.dns.records import Answer, DnsResolver
from angarium.identity.domains.dkim_record import judge_key
from angarium.identity.domains.records import DnsRecord, Purpose, records_for
from angarium.identity.records import Domain

__all__ = ["DnsRecord", "DomainReport", "RecordCheck", "check_domain", "records_for"]

Status = Literal["found", "missing", "wrong", "unknown"]


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """What became of one record. *found* is what the DNS has under its name, *advice* what to do, empty for nothing.

    *unknown*: the DNS could not be asked, so nothing follows from it.
    """

    record: DnsRecord
    status: Status
    found: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True, slots=True)
class DomainReport:
    """What was seen of all records of one domain."""

    domain: str
    checks: tuple[RecordCheck, ...]

    @property
    def keys_found(self) -> dict[int, bool]:
        """Whether each signing key, by its id, is published as it should be. Keys that nobody could be asked about
        are left out: their state stays as it was.
        """
        return {
            check.record.key: check.status == "found"
            for check in self.checks
            if check.record.key is not None and check.status != "unknown"
        }

    @property
    def return_path_found(self) -> bool | None:
        """Whether the return path leads here; None: nobody could be asked, or nobody is to be."""
        return self._is_found("return_path")

    @property
    def tracking_found(self) -> bool | None:
        """Whether the name that readers' programs come by leads here; None: nobody could be asked, or is to be."""
        return self._is_found("tracking")

    def _is_found(self, purpose: Purpose) -> bool | None:
        status = next((each.status for each in self.checks if each.record.purpose == purpose), "unknown")
        return None if status == "unknown" else status == "found"

    @property
    def is_verified(self) -> bool:
        """Whether at least one key was seen as it should be."""
        return any(self.keys_found.values())


async def check_domain(
    domain: Domain, resolver: DnsResolver, *, hostname: str = "", tracking_host: str = ""
) -> DomainReport:
    """Ask for every record of `records_for` the domain and these hosts, all at the same time."""
    records = records_for(domain, hostname, tracking_host=tracking_host)
    checks = [_CHECKS[record.purpose](record, domain, resolver) for record in records]
    return DomainReport(domain.name, tuple(await asyncio.gather(*checks)))


async def _check_key(record: DnsRecord, domain: Domain, resolver: DnsResolver) -> RecordCheck:
    answer = await resolver.query(record.name, "TXT")
    if answer.status == "failure":
        return _unknown(record, answer)
    if not answer.texts:
        doubled = await resolver.query(f"{record.name}.{domain.name}", "TXT")
        return RecordCheck(record, "missing", (), _missing_advice(record, domain, doubled))
    fault, advice = judge_key(answer.texts, record.value)
    return RecordCheck(record, "wrong" if fault else "found", answer.texts, advice)


def _missing_advice(record: DnsRecord, domain: Domain, doubled: Answer) -> str:
    if doubled.texts:
        short = record.name.removesuffix(f".{domain.name}")
        return (
            f"the record stands under {record.name}.{domain.name}: your provider adds the domain itself, "
            f"so enter only {short} as its name"
        )
    return f"publish a TXT record named {record.name} with this value: {record.value}"


async def _check_return_path(record: DnsRecord, domain: Domain, resolver: DnsResolver) -> RecordCheck:
    wanted = record.value.lower()
    alias, mail = await asyncio.gather(
        resolver.query(record.name, "CNAME"), resolver.query(record.name, "MX")
    )
    found = (*(f"CNAME {name}" for name in alias.texts), *(f"MX {mx.preference} {mx.host}" for mx in mail.mx))
    if wanted in alias.texts or any(mx.host == wanted for mx in mail.mx):
        return RecordCheck(record, "found", found)
    if alias.status == "failure" or mail.status == "failure":
        return _unknown(record, alias if alias.status == "failure" else mail)
    way = f"a CNAME record to {wanted} (or, if other records stand there, an MX record: 10 {wanted})"
    if found:
        return RecordCheck(record, "wrong", found, f"{record.name} leads elsewhere: make it {way}")
    return RecordCheck(record, "missing", (), f"give {record.name} {way}")


async def _check_tracking(record: DnsRecord, domain: Domain, resolver: DnsResolver) -> RecordCheck:
    wanted = record.value.lower()
    alias = await resolver.query(record.name, "CNAME")
    found = tuple(f"CNAME {name}" for name in alias.texts)
    if wanted in alias.texts:
        return RecordCheck(record, "found", found)
    if alias.status == "failure":
        return _unknown(record, alias)
    way = f"a CNAME record to {wanted}"
    if found:
        return RecordCheck(record, "wrong", found, f"{record.name} leads elsewhere: make it {way}")
    return RecordCheck(record, "missing", (), f"give {record.name} {way}, and no other record")


async def _check_spf(record: DnsRecord, domain: Domain, resolver: DnsResolver) -> RecordCheck:
    # Asked under the return path, which is what receivers look at; a CNAME leads them to this node's own record.
    answer = await resolver.query(domain.return_path, "TXT")
    if answer.status == "failure":
        return _unknown(record, answer)
    found = tuple(text for text in answer.texts if _begins(text, "v=spf1"))
    if len(found) > 1:
        advice = f"{domain.return_path} has {len(found)} SPF records, and receivers then obey none: keep one"
        return RecordCheck(record, "wrong", found, advice)
    if found:
        return RecordCheck(record, "found", found)
    advice = f"publish a TXT record named {record.name} with this value, or with the addresses that you send from: "
    return RecordCheck(record, "missing", (), advice + record.value)


async def _check_dmarc(record: DnsRecord, domain: Domain, resolver: DnsResolver) -> RecordCheck:
    """Ask under the domain, then under those above it, whose record holds for it as well (RFC 7489 §6.6.3)."""
    labels = domain.name.split(".")
    for depth in range(max(1, len(labels) - 1)):
        answer = await resolver.query("_dmarc." + ".".join(labels[depth:]), "TXT")
        if answer.status == "failure":
            return _unknown(record, answer)
        found = tuple(text for text in answer.texts if _begins(text, "v=dmarc1"))
        if found:
            fault = _dmarc_fault(found)
            return RecordCheck(record, "wrong" if fault else "found", found, fault)
    return RecordCheck(
        record, "missing", (), f"publish a TXT record named {record.name} with this value: {record.value}"
    )


def _dmarc_fault(found: tuple[str, ...]) -> str:
    if len(found) > 1:
        return f"there are {len(found)} DMARC records, and receivers then obey none: keep one"
    policies = [tag.partition("=")[2].strip() for tag in found[0].split(";") if _begins(tag, "p=")]
    if [policy.lower() for policy in policies] not in (["none"], ["quarantine"], ["reject"]):
        return "the record names no policy: write p=none, p=quarantine or p=reject after v=DMARC1"
    return ""


def _begins(text: str, start: str) -> bool:
    return text.replace(" ", "").lower().startswith(start)


def _unknown(record: DnsRecord, answer: Answer) -> RecordCheck:
    return RecordCheck(record, "unknown", (), f"the DNS could not be asked ({answer.note}): try again later")


_CHECKS = {
    "dkim": _check_key,
    "return_path": _check_return_path,
    "spf": _check_spf,
    "dmarc": _check_dmarc,
    "tracking": _check_tracking,
}
