"""The node's own certificate, for where none is configured: made at the first start, signed by itself.

Enough for a laptop and for clients that encrypt without checking the server. It is made anew when it has
expired, when its two files do not belong together, and when the node has got another name.
"""

import contextlib
import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from angarium.core.files import make_folder, replace_file
from angarium.tls.certificate import TlsProblem, holds_for, read_certificate
from angarium.tls.server.contexts import Pair

LIFETIME_DAYS = 3650
_LOCAL = ("localhost", "127.0.0.1", "::1")
_CLOCK_SKEW_S = 3600
_SIGNS_ONLY = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def own_pair(data: Path) -> Pair:
    """Return where the node's own certificate lies, whether it was made or not."""
    return Pair(data / "tls" / "certificate.pem", data / "tls" / "key.pem")


def ensure_own_certificate(data: Path, hostname: str, now: float) -> bool:
    """Make the node's own certificate unless there is a good one. Returns whether it did. Raises TlsProblem.

    The key's file can be read by its owner only.
    """
    pair = own_pair(data)
    if _is_good(pair, hostname, now):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        make_folder(pair.certificate.parent)
        assert pair.key is not None
        replace_file(pair.key, _key_text(key))
        replace_file(pair.certificate, _sign(key, hostname, now), 0o644)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TlsProblem(
            f"{pair.certificate.parent}: {reason}; the node writes its own certificate there"
        ) from error
    return True


def _is_good(pair: Pair, hostname: str, now: float) -> bool:
    try:
        certificate = read_certificate(pair.certificate)
    except TlsProblem:
        return False
    return (
        not certificate.is_expired(now) and holds_for(certificate.names, hostname) and _belong_together(pair)
    )


def _belong_together(pair: Pair) -> bool:
    try:
        assert pair.key is not None
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except (OSError, ValueError, TypeError):  # gone, damaged, with a passphrase: another is made
        return False
    return key.public_key() == certificate.public_key()


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _sign(key: ec.EllipticCurvePrivateKey, hostname: str, now: float) -> bytes:
    # A common name has at most 64 characters (RFC 5280, appendix A.1); clients read the list of names.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    begin = datetime.datetime.fromtimestamp(now - _CLOCK_SKEW_S, datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=LIFETIME_DAYS))
        .add_extension(x509.SubjectAlternativeName(_alternatives(hostname)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNS_ONLY, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _alternatives(hostname: str) -> list[x509.GeneralName]:
    return [_alternative(name) for name in dict.fromkeys((hostname.lower(), *_LOCAL))]


def _alternative(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    return x509.DNSName(name)
