"""The DNS records of a sending domain, as they are to be published. Pure."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from angarium.identity.records import Domain, DomainKey

Purpose = Literal["dkim", "return_path", "spf", "dmarc", "tracking"]
RecordKind = Literal["TXT", "CNAME"]

TTL_S = 3600
MAX_STRING_BYTES = 255  # RFC 1035 §3.3


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One record. *name* has no final dot; *value* is the whole text of a TXT record, or the name that a CNAME leads
    to. *key* is the id of the signing key that it publishes. *required*: without it mail is not signed; the others
    make it arrive more surely. *note* says what it is for.
    """

    purpose: Purpose
    name: str
    type: RecordKind
    value: str
    note: str
    required: bool = False
    key: int | None = None

    @property
    def zone_line(self) -> str:
        """The record as a line of a zone file (RFC 1035 §5.1). Long text is cut into strings, which belong together."""
        data = zone_text(self.value) if self.type == "TXT" else f"{self.value}."
        return f"{self.name}. {TTL_S} IN {self.type} {data}"


def records_for(
    domain: Domain, hostname: str = "", dmarc_address: str = "", tracking_host: str = ""
) -> list[DnsRecord]:
    """Return what to publish for *domain*: its keys that sign or are to sign, then what is good to have besides.

    *hostname* is the name of this node, to which bounces come; one without a dot is no name in the DNS, and leaves the
    records about bounces out. *dmarc_address* gets the reports of receivers; empty: `dmarc@` the domain. Readers'
    programs come to *tracking_host*; empty: to *hostname*. Retired keys are not among the records: what is still
    published of them may go.
    """
    records = [key_record(domain, key) for key in domain.keys if key.state != "retired"]
    if "." in hostname and domain.return_path:
        records += _bounce_records(domain, hostname)
    tracking_host = tracking_host or hostname
    if "." in tracking_host and domain.tracking:
        note = "readers' programs come by it: clicks, opens and the way out are under the sender's own name"
        records.append(DnsRecord("tracking", domain.tracking, "CNAME", tracking_host, note))
    return [*records, _dmarc_record(domain, dmarc_address or f"dmarc@{domain.name}")]


def tracking_host(origin: str | None) -> str:
    """Return the host of `Tracking_Domain`, scheme and all; empty where there is none."""
    return (urlsplit(origin).hostname or "") if origin else ""


def key_record(domain: Domain, key: DomainKey) -> DnsRecord:
    """Return the record that publishes *key* (RFC 6376 §3.6.1, RFC 8463 §4)."""
    return DnsRecord(
        "dkim",
        f"{key.selector}._domainkey.{domain.name}",
        "TXT",
        f"v=DKIM1; k={key.algorithm}; p={key.public}",
        f"the key that receivers check signatures with ({_NAMES[key.algorithm]})",
        required=True,
        key=key.id,
    )


def zone_text(value: str) -> str:
    """Write *value* as strings of at most 255 bytes in the quotes of a zone file; odd bytes as `\\DDD`."""
    data = value.encode()
    strings = [data[at : at + MAX_STRING_BYTES] for at in range(0, max(1, len(data)), MAX_STRING_BYTES)]
    quoted = ['"' + "".join(_escaped(byte) for byte in string) + '"' for string in strings]
    return quoted[0] if len(quoted) == 1 else f"( {' '.join(quoted)} )"


_NAMES = {"rsa": "RSA", "ed25519": "Ed25519"}


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return f"\\{byte:c}"
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03}"


def _bounce_records(domain: Domain, hostname: str) -> list[DnsRecord]:
    return [
        DnsRecord(
            "return_path", domain.return_path, "CNAME", hostname, "bounces come back, and SPF fits the domain"
        ),
        DnsRecord(
            "spf",
            hostname,
            "TXT",
            "v=spf1 a -all",
            "says that this node sends; once for all domains that lead to it",
        ),
    ]


def _dmarc_record(domain: Domain, address: str) -> DnsRecord:
    return DnsRecord(
        "dmarc",
        f"_dmarc.{domain.name}",
        "TXT",
        f"v=DMARC1; p=none; rua=mailto:{address}",
        "asks receivers for reports; large ones want to see such a record. Make p stricter when reports are clean",
    )
