"""A certificate authority for tests and drills: its certificates prove something to a peer that is told so."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key as PEM files; *both* holds the key and then the certificate."""

    certificate: Path
    key: Path
    both: Path

    def server_context(self, client_ca: Path | None = None) -> ssl.SSLContext:
        """Return a context for a server that shows it; with *client_ca* clients must show one as well."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.both)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class CertificateAuthority:
    """Issues certificates into *folder*. *file* is its own certificate, for those who are to believe it."""

    def __init__(self, folder: Path, name: str = "Test Authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        now = datetime.now(UTC)
        builder = _builder(
            self._name, self._name, self._key, now - timedelta(days=1), now + timedelta(days=30)
        )
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name.lower().replace(' ', '-')}.pem"
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        *names: str,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> Issued:
        """Issue a certificate for host names and IP addresses, valid for a month unless said otherwise."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        begins, ends = begins or now - timedelta(days=1), ends or now + timedelta(days=30)
        certificate = (
            _builder(_named(names[0]), self._name, key, begins, ends)
            .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return self._write(names[0], certificate, key)

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
        serial = f"{certificate.serial_number:x}"[:8]
        stem = f"{name.replace('*', 'any').replace(':', '-')}-{serial}"
        issued = Issued(*(self._folder / f"{stem}.{kind}.pem" for kind in ("cert", "key", "both")))
        shown = certificate.public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        issued.certificate.write_bytes(shown)
        issued.key.write_bytes(secret)
        issued.both.write_bytes(secret + shown)
        return issued


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
