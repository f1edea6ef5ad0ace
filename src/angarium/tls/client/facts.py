"""What a handshake has shown: the peer's certificate read, its names compared, and the record of it. Pure."""

import ssl
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509

from angarium.core.records import TlsFacts

MOST_NAMES = 10
MAX_NAME_CHARS = 255


class PeerCertificate(NamedTuple):
    """What matters here of a certificate: names in lower case, addresses as text, its end in seconds of Unix time."""

    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    not_after: float = 0.0


@lru_cache(maxsize=1024)
def read_certificate(der: bytes) -> PeerCertificate:
    """Read a certificate, which may be malformed: what cannot be read is left out."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        not_after = certificate.not_valid_after_utc.timestamp()
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = found.get_values_for_type(x509.DNSName)
        addresses = found.get_values_for_type(x509.IPAddress)
    except x509.ExtensionNotFound:
        return PeerCertificate(not_after=not_after)
    except Exception:  # noqa: BLE001 - the bytes are the peer's, and the library has no common error for bad ones
        return PeerCertificate()
    shown = tuple(name.lower() for name in names if name.isprintable() and len(name) <= MAX_NAME_CHARS)
    return PeerCertificate(shown, tuple(str(address) for address in addresses), not_after)


def proves(certificate: PeerCertificate, wanted: str) -> bool:
    """Whether *certificate* was given to *wanted*, a host name or an IP address (RFC 9525 §6.3).

    A `*` stands for one whole leftmost label. The subject's common name counts for nothing.
    """
    try:
        return str(ip_address(wanted.strip("[]").removeprefix("IPv6:"))) in certificate.addresses
    except ValueError:
        pass
    name = wanted.lower().rstrip(".")
    first, _, parent = name.partition(".")
    pattern = f"*.{parent}" if first and "." in parent else name
    return any(shown.rstrip(".") in (name, pattern) for shown in certificate.names)


def facts_of(
    tls: ssl.SSLObject, wanted: Iterable[str], *, verified: bool, asked: bool, problem: str = ""
) -> TlsFacts:
    """Return the record of a handshake that was made.

    *verified*: the peer's issuer was checked. *asked*: it is to be one of *wanted*; then
    *problem* says why it is not. A *problem* that is known already stands.
    """
    certificate = read_certificate(tls.getpeercert(binary_form=True) or b"")
    wanted = tuple(wanted)
    is_host = any(proves(certificate, name) for name in wanted)
    if asked and verified and not is_host and not problem:
        problem = f"the certificate is not for {' or '.join(wanted)} but for {_some(certificate)}"
    cipher = tls.cipher()
    return TlsFacts(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        verified=("host" if is_host else "ca") if verified else "",
        problem=problem,
        names=_ordered(certificate, wanted)[:MOST_NAMES],
        not_after=certificate.not_after,
        resumed=bool(tls.session_reused),
    )


def _ordered(certificate: PeerCertificate, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The names of *certificate*, those that were looked for first."""
    names = (*certificate.names, *certificate.addresses)
    return tuple(sorted(names, key=lambda name: name not in wanted))


def _some(certificate: PeerCertificate) -> str:
    names = (*certificate.names, *certificate.addresses)
    if not names:
        return "no name at all"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
