"""Certificates as a listener and an operator look at them: whose they are, until when, and for which names."""

import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from angarium.core.errors import AngariumError


class TlsProblem(AngariumError):
    """A file or an option that no TLS can be made of. The text says which, and what to write instead."""


class Certificate(NamedTuple):
    """The first certificate of a chain file. Times in seconds of Unix time; *names* in lower-case A-labels."""

    path: Path
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: float
    not_after: float
    key: str
    """Kind and size of the key: `RSA 2048`, `EC secp256r1`."""
    fingerprint: str
    """SHA-256 of the certificate, in hexadecimal."""
    chain: int
    """How many certificates the file holds."""
    is_authority: bool
    """Whether it may issue others (RFC 5280 §4.2.1.9)."""

    def is_expired(self, now: float) -> bool:
        """Whether its time is over."""
        return now >= self.not_after


def read_certificate(path: Path) -> Certificate:
    """Read a chain in PEM, the server's own certificate first. Raises TlsProblem."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TlsProblem(
            f"{path}: {(error.strerror or str(error)).lower()}; name a certificate chain in PEM that the node may read"
        ) from error
    try:
        chain = x509.load_pem_x509_certificates(data)
        return _certificate(path, chain)
    except ValueError as error:
        raise TlsProblem(
            f"{path}: no certificate in PEM; it begins with -----BEGIN CERTIFICATE-----"
        ) from error


def _certificate(path: Path, chain: list[x509.Certificate]) -> Certificate:
    own = chain[0]
    return Certificate(
        path,
        own.subject.rfc4514_string(),
        own.issuer.rfc4514_string(),
        _names(own),
        own.not_valid_before_utc.timestamp(),
        own.not_valid_after_utc.timestamp(),
        _key(own),
        own.fingerprint(hashes.SHA256()).hex(),
        len(chain),
        _is_authority(own),
    )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the names it holds for; the common name only where there is no list of names (RFC 6125 §6.4.4)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(name.value).lower() for name in common)
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return (*hosts, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def holds_for(names: tuple[str, ...], host: str) -> bool:
    """Whether one of a certificate's *names* is *host*; `*.example.com` stands for one label (RFC 6125 §6.4.3)."""
    host = host.lower().rstrip(".")
    if host in names:
        return True
    label, dot, parent = host.partition(".")
    return bool(label and dot) and not _is_address(host) and f"*.{parent}" in names


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
