"""From options and files to what a handshake needs, and what is said when that cannot be."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.load import parse_config
from angarium.config.records import InboundOptions
from angarium.core.clock import SystemClock
from angarium.testing.authority import CertificateAuthority
from angarium.testing.log import kept_log, text_of
from angarium.tls.certificate import TlsProblem, holds_for, read_certificate
from angarium.tls.server.contexts import Pair, TlsContexts, make_context, plan_of

LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@pytest.fixture
def authority(tmp_path):
    return CertificateAuthority(tmp_path)


@pytest.fixture
def own(authority):
    issued = authority.issue("own.test")
    return Pair(issued.certificate, issued.key)


def plan(own, **options):
    return plan_of(InboundOptions(**options), own)


# -- names


@pytest.mark.parametrize(
    ("names", "host", "holds"),
    [
        (("mail.test",), "mail.test", True),
        (("mail.test",), "MAIL.test.", True),
        (("mail.test",), "other.test", False),
        (("*.test",), "mail.test", True),
        (("*.test",), "test", False),
        (("*.test",), "a.mail.test", False),
        (("*.0.0.1",), "127.0.0.1", False),
        (("127.0.0.1",), "127.0.0.1", True),
        ((), "mail.test", False),
    ],
)
def test_a_wildcard_stands_for_one_label(names, host, holds):
    assert holds_for(names, host) is holds


@given(st.lists(LABEL, min_size=2, max_size=4), LABEL)
def test_a_name_of_more_labels_than_the_wildcard_is_not_meant(labels, more):
    host = ".".join(labels)
    assert holds_for((f"*.{host}",), f"{more}.{host}")
    assert not holds_for((f"*.{host}",), f"{more}.{more}.{host}")
    assert not holds_for((f"*.{host}",), host)


# -- certificates


def test_a_certificate_is_read_with_what_an_operator_asks_of_it(authority):
    ends = datetime(2040, 1, 1, tzinfo=UTC)
    issued = authority.issue("mail.test", "*.mail.test", "192.0.2.1", ends=ends)
    read = read_certificate(issued.both)
    assert read.names == ("mail.test", "*.mail.test", "192.0.2.1")
    assert (read.subject, read.issuer) == ("CN=mail.test", "CN=Test Authority")
    assert (read.key, read.chain, read.subject == read.issuer) == ("EC secp256r1", 1, False)
    assert read.not_after == ends.timestamp()
    assert read.is_expired(ends.timestamp())
    assert not read.is_expired((ends - timedelta(seconds=1)).timestamp())


# -- plans and contexts


def test_without_a_certificate_the_nodes_own_is_shown(own):
    assert plan(own).pairs == (own,)


def test_each_certificate_has_its_key_or_holds_it_itself(own, authority, tmp_path):
    one, two = authority.issue("one.test"), authority.issue("two.test")
    assert plan(own, tls_certificate=(one.both, two.both)).pairs == (
        Pair(one.both, None),
        Pair(two.both, None),
    )
    paired = plan(own, tls_certificate=(one.certificate, two.certificate), tls_key=(one.key, two.key))
    make_context(paired)
    with pytest.raises(
        TlsProblem, match="TLS_Key names 1 and TLS_Certificate 2 files; name one key for each"
    ):
        plan(own, tls_certificate=(one.certificate, two.certificate), tls_key=(one.key,))


def test_asking_clients_for_certificates_needs_an_authority(own):
    with pytest.raises(TlsProblem, match="TLS_Verify_Mode = request needs TLS_Client_CA"):
        plan(own, tls_verify_mode="request")


def test_options_reach_the_context(own, authority):
    context = make_context(
        plan(
            own,
            tls_protocols=("TLSv1.2",),
            tls_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256",
            tls_client_ca=authority.file,
            tls_verify_mode="require",
        )
    )
    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_2
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in [cipher["name"] for cipher in context.get_ciphers()]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert not context.options & ssl.OP_NO_TICKET


def test_what_is_wrong_with_a_file_is_said_with_its_name(own, authority, tmp_path):
    issued, other = authority.issue("mail.test"), authority.issue("other.test")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(_encrypted_key())
    for options, problem in (
        ({"tls_certificate": (tmp_path / "none.pem",)}, "none.pem: no such file or directory; name"),
        ({"tls_certificate": (empty,)}, "empty.pem: no certificate in PEM"),
        ({"tls_certificate": (issued.certificate,)}, "mail.test-.*: no private key in PEM; name its file"),
        ({"tls_certificate": (issued.certificate,), "tls_key": (other.key,)}, "is not the key of"),
        (
            {"tls_certificate": (issued.certificate,), "tls_key": (tmp_path / "k",)},
            "k: no such file or directory",
        ),
        ({"tls_certificate": (issued.certificate,), "tls_key": (encrypted,)}, "asks for a passphrase"),
        ({"tls_ciphers": "NONSENSE"}, 'TLS_Ciphers "NONSENSE" names no cipher'),
        ({"tls_client_ca": empty}, "TLS_Client_CA .*empty.pem: no certificates in PEM"),
        ({"tls_client_ca": tmp_path / "none.pem"}, "TLS_Client_CA .*none.pem: no such file or directory"),
    ):
        with pytest.raises(TlsProblem, match=problem):
            make_context(plan(own, **options))


def test_a_worker_keeps_what_was_good_when_a_file_goes_bad(own, authority, tmp_path):
    shown = tmp_path / "shown.pem"
    shown.write_bytes(authority.issue("mail.test").both.read_bytes())
    text = f"""ESMTP_Listener "a" {{ TLS_Certificate = "{shown}" Listen "127.0.0.1:2525" {{ }} }}
               ESMTP_Listener "b" {{ Listen "127.0.0.1:2526" {{ }} }}"""
    config = parse_config(text, "angarium.conf")
    log = kept_log()
    contexts = TlsContexts(own, SystemClock(), log)
    contexts.follow(config)
    before, other = contexts.of("a", "127.0.0.1:2525"), contexts.of("b", "127.0.0.1:2526")
    assert before is not None
    shown.write_text("half a file")
    contexts.follow(config)
    assert contexts.of("a", "127.0.0.1:2525") is before
    assert contexts.of("b", "127.0.0.1:2526") is not other
    assert "what was in force before stays so" in text_of(log)
    assert contexts.of("c", "127.0.0.1:2527") is None


def _encrypted_key():
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
