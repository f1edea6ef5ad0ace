"""Which certificates prove which names, and that no certificate, however made, does any harm."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from angarium.testing.authority import CertificateAuthority
from angarium.tls.client.facts import PeerCertificate, proves, read_certificate


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


def der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("shown", "wanted", "is_proved"),
    [
        ("mx.example.com", "mx.example.com", True),
        ("mx.example.com", "MX.Example.COM.", True),
        ("mx.example.com", "example.com", False),
        ("mx.example.com", "a.mx.example.com", False),
        ("*.example.com", "mx.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.mx.example.com", False),
        ("*.com", "example.com", False),
        ("*", "com", False),
        ("m*.example.com", "mx.example.com", False),
        ("*.*.com", "mx.example.com", False),
        ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com", True),
        ("mx.example.com", "", False),
        ("127.0.0.1", "127.0.0.1", False),  # a name that looks like an address is none
    ],
)
def test_a_name_is_proved_by_itself_or_by_a_star_for_its_first_label(
    shown: str, wanted: str, is_proved: bool
) -> None:
    assert proves(PeerCertificate((shown,)), wanted) is is_proved


@pytest.mark.parametrize(
    ("shown", "wanted", "is_proved"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "[192.0.2.1]", True),
        ("2001:db8::1", "[IPv6:2001:0db8:0::1]", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_an_address_is_proved_by_that_address(shown: str, wanted: str, is_proved: bool) -> None:
    assert proves(PeerCertificate((), (shown,)), wanted) is is_proved


def test_names_addresses_and_end_are_read(authority: CertificateAuthority) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    read = read_certificate(der(authority.issue("MX.example.com", "192.0.2.1", ends=ends).certificate))
    assert read == PeerCertificate(("mx.example.com",), ("192.0.2.1",), ends.timestamp())


def test_a_certificate_without_names_has_its_end(authority: CertificateAuthority) -> None:
    read = read_certificate(der(authority.file))
    assert (read.names, read.addresses) == ((), ())
    assert read.not_after > 0


@given(st.binary(max_size=200))
def test_what_is_no_certificate_says_nothing(data: bytes) -> None:
    assert read_certificate(data) == PeerCertificate()


def test_a_certificate_of_no_known_version_says_nothing(authority: CertificateAuthority) -> None:
    good = der(authority.file)
    version = good.index(b"\xa0\x03\x02\x01\x02")
    assert read_certificate(good[: version + 4] + b"\x01" + good[version + 5 :]) == PeerCertificate()


@given(data=st.data())
def test_a_damaged_certificate_does_no_harm(authority: CertificateAuthority, data: st.DataObject) -> None:
    good = der(authority.file)
    at = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    assert isinstance(read_certificate(damaged), PeerCertificate)
