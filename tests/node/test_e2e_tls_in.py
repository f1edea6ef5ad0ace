"""Encryption of mail on its way in, seen from outside: STARTTLS, TLS from the first byte, certificates, clients'."""

import contextlib
import smtplib
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest

from angarium.testing.authority import CertificateAuthority
from angarium.testing.lab import submit_over
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S, free_port

pytestmark = pytest.mark.process

CONFIG = """
Hostname = mx.test
Relay_Hosts = ( 127.0.0.9 )
Routes = ( "127.0.0.1:{sink}" )
ESMTP_Listener "implicit" {{ Listen "127.0.0.1:{implicit}" {{ Use_SSL = true }} }}
ESMTP_Listener "impatient" {{ TLS_Timeout = 1 Listen "127.0.0.1:{impatient}" {{ Use_SSL = true }} }}
ESMTP_Listener "several" {{
  TLS_Certificate = ( "{first.certificate}" "{second.both}" )
  TLS_Key = ( "{first.key}" "{second.both}" )
  Listen "127.0.0.1:{several}" {{ }}
}}
ESMTP_Listener "clients" {{
  TLS_Client_CA = "{authority.file}"
  TLS_Verify_Mode = request
  TLS_Verified_Peer_Can_Relay = true
  Sessions_Per_Peer = 2
  Listen "127.0.0.1:{clients}" {{ }}
}}
ESMTP_Listener "strict" {{
  TLS_Client_CA = "{authority.file}"
  TLS_Verify_Mode = require
  TLS_Protocols = "TLSv1.3"
  Starttls_Injection_Policy = discard
  Sessions_Per_Peer = 2
  Listen "127.0.0.1:{strict}" {{ }}
}}
"""
OWN = 'ESMTP_Listener "default" {{ TLS_Certificate = "{}" }}'
FAILED = 'tls_handshakes_total{result="failed"}'
FRIEND = ("127.0.0.9", 0)


class Place:
    """A node with its listeners' ports, and what its certificates are made of."""

    def __init__(self, folder, sink):
        self.sink = sink
        self.authority = CertificateAuthority(folder)
        self.first = self.authority.issue("mail.one.test", "*.one.test")
        self.second = self.authority.issue("two.test")
        self.ports = {name: free_port() for name in ("implicit", "impatient", "several", "clients", "strict")}
        given = {"first": self.first, "second": self.second, "authority": self.authority}
        self.node = Node(CONFIG.format(sink=sink.port, **given, **self.ports), workers=1)

    def context(self, ca=None):
        """A client that believes the node's own certificate, or those of *ca*."""
        return ssl.create_default_context(cafile=str(ca or self.node.data / "tls/certificate.pem"))

    def anyhow(self):
        """A client that believes anybody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def plain(self, name=None, source=("127.0.0.1", 0)):
        port = self.ports[name] if name else self.node.smtp_port
        client = smtplib.SMTP("127.0.0.1", port, "client.test", source_address=source, timeout=PATIENCE_S)
        client.ehlo()
        return client

    def shown_to(self, client, host, context=None):
        """Encrypt *client*, which asks for *host*; return the names in the certificate it is shown."""
        client._host = host
        client.starttls(context=context or self.context(self.authority.file))
        return [value for _, value in client.sock.getpeercert()["subjectAltName"]]

    def counted(self, metric):
        lines = self.node.get("/metrics")[1].splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"angarium_{metric} "))


@pytest.fixture(scope="module")
def place(shared_lab, tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("certificates"), shared_lab.sink())
    with made.node:
        yield made


# -- how a session is encrypted


def test_the_command_shows_what_the_running_node_uses(place):
    shown = {each["listener"] for each in place.node.cli("tls", "show")}
    assert {"default", "clients", "strict"} < shown


def test_starttls_begins_the_session_anew_and_encrypted(place):
    with place.plain(source=FRIEND) as client:
        assert client.has_extn("starttls")
        assert client.starttls(context=place.context())[0] == 220
        assert client.docmd("MAIL", "FROM:<a@far.test>")[0] == 503  # EHLO is forgotten
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.docmd("STARTTLS")[0] == 503
        submit_over(client, "a@far.test", ["starttls@far.test"])
    received = place.sink.wait_for_mail_to("starttls@far.test")[0].data.partition(b"\r\nDate:")[0]
    assert b"with ESMTPS (TLSv1.3 TLS_" in received


def test_tls_from_the_first_byte(place):
    port = place.ports["implicit"]
    with smtplib.SMTP_SSL(
        "127.0.0.1", port, "client.test", context=place.context(), source_address=FRIEND
    ) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        submit_over(client, "a@far.test", ["implicit@far.test"])
    assert b"with ESMTPS" in place.sink.wait_for_mail_to("implicit@far.test")[0].data


@pytest.mark.parametrize(
    ("listener", "says", "spoken"),
    [
        ("implicit", b"EHLO client.test\r\n", "SMTP"),
        ("implicit", b"GET / HTTP/1.1\r\n\r\n", "HTTP"),
        ("default", b"POST / HTTP/1.1\r\n\r\n", "HTTP"),
    ],
)
def test_a_client_that_speaks_another_protocol_is_told_as_such(place, listener, says, spoken):
    port = place.node.smtp_port if listener == "default" else place.ports[listener]
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
        client.sendall(says)
        with contextlib.suppress(ConnectionError):
            while client.recv(1000):
                pass
    place.node.wait_for_event("wrong_protocol", listener=listener, spoken=spoken)


def test_a_client_that_begins_with_tls_where_starttls_is_due_is_told(place):
    with pytest.raises(ssl.SSLError):
        smtplib.SMTP_SSL("127.0.0.1", place.node.smtp_port, context=place.anyhow(), timeout=PATIENCE_S)
    place.node.wait_for_event("wrong_protocol", listener="default", spoken="TLS")


def test_a_client_that_waits_for_a_greeting_where_tls_is_due_is_told(place):
    with socket.create_connection(("127.0.0.1", place.ports["impatient"]), PATIENCE_S) as client:
        assert client.recv(1000) == b""
    place.node.wait_for_event("wrong_protocol", listener="impatient", spoken="SMTP")


def test_a_large_message_comes_through_tls_whole(place):
    text = b"Subject: large\r\n\r\n" + (b"0123456789abcdef" * 4 + b"\r\n") * 65_536
    with place.plain(source=FRIEND) as client:
        client.starttls(context=place.context())
        submit_over(client, "a@far.test", ["large@far.test"], text)
    assert place.sink.wait_for_mail_to("large@far.test")[0].data.endswith(text)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken_and_a_session_is_resumed(place, version):
    context = place.context()
    context.minimum_version = context.maximum_version = version
    address = ("127.0.0.1", place.ports["implicit"])
    session, resumed = None, []
    for _ in range(2):
        with (
            socket.create_connection(address) as raw,
            context.wrap_socket(raw, server_hostname="localhost", session=session) as tls,
        ):
            assert tls.recv(4) == b"220 "  # by now the tickets of TLS 1.3 have come
            session = tls.session
            resumed.append(tls.session_reused)
    assert resumed == [False, True]


def test_a_client_that_fails_at_the_handshake_leaves_nothing_behind(place):
    old = place.anyhow()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    before = place.counted(FAILED)
    for _ in range(5):  # Sessions_Per_Peer is 2
        client = place.plain("strict")
        assert client.docmd("STARTTLS")[0] == 220
        with pytest.raises(ssl.SSLError):
            old.wrap_socket(client.sock)
        client.close()
        place.node.program.wait_until(lambda: place.counted("sessions_open") == 0, "no session left")
    with place.plain("strict") as client:
        assert client.noop()[0] == 250
    assert place.counted(FAILED) == before + 5
    place.node.program.wait_for("TLS handshake failed: ", 5)


def test_a_client_that_leaves_in_the_handshake_is_counted_out(place):
    for _ in range(5):
        client = place.plain("strict")
        client.docmd("STARTTLS")
        client.sock.sendall(b"\x16\x03\x01")
        client.close()
    with socket.create_connection(("127.0.0.1", place.ports["implicit"])):
        pass
    place.node.program.wait_until(lambda: place.counted("sessions_open") == 0, "no session left")
    place.node.program.wait_until(lambda: _is_open(place), "room for another session")


def _is_open(place):
    with contextlib.suppress(smtplib.SMTPException), place.plain("strict") as client:
        return client.noop()[0] == 250
    return False


# -- what stands behind STARTTLS in clear text


def exchange(port, *lines):
    """Send *lines* in one write after EHLO; return what comes until the other side closes or wants a handshake."""
    with socket.create_connection(("127.0.0.1", port)) as raw, raw.makefile("rb") as file:
        file.readline()
        raw.sendall(b"EHLO client.test\r\n")
        while file.readline()[3:4] == b"-":
            pass
        raw.sendall(b"".join(line + b"\r\n" for line in lines))
        return [line.decode() for line in iter(file.readline, b"") if line[:1] in b"2345"]


def test_commands_behind_starttls_end_the_session(place):
    answers = exchange(place.node.smtp_port, b"STARTTLS", b"RSET", b"MAIL FROM:<a@far.test>")
    assert len(answers) == 1
    assert answers[0].startswith("5")
    place.node.program.wait_for(f'"injected_bytes":{len("RSET..MAIL FROM:<a@far.test>..")}')


def test_commands_behind_starttls_are_thrown_away_where_the_option_says_so(place):
    with place.plain("strict") as client:
        client.sock.sendall(b"STARTTLS\r\nMAIL FROM:<a@far.test>\r\n")
        assert client.getreply()[0] == 220
        context = place.context()
        issued = place.authority.issue("client.test")
        context.load_cert_chain(issued.both)
        client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
        client.file = None
        assert client.docmd("RCPT", "TO:<b@far.test>")[0] == 503  # nothing of it was obeyed
        assert client.ehlo()[0] == 250


def test_a_node_that_stops_says_so_through_tls_and_does_not_wait_for_a_handshake(tmp_path):
    with Node(workers=1) as node:
        context = ssl.create_default_context(cafile=str(node.data / "tls/certificate.pem"))
        idle = smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test", timeout=PATIENCE_S)
        idle.starttls(context=context)
        stuck = smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test", timeout=PATIENCE_S)
        stuck.ehlo()
        assert stuck.docmd("STARTTLS")[0] == 220
        assert node.stop() == 0
        assert idle.getreply()[0] == 421
        idle.close()
        stuck.close()


# -- which certificate is shown


def test_the_certificate_is_that_of_the_name_the_client_asks_for(place):
    with place.plain("several") as client:
        assert place.shown_to(client, "two.test") == ["two.test"]
    with place.plain("several") as client:
        assert place.shown_to(client, "any.one.test") == ["mail.one.test", "*.one.test"]
    unverified = place.context(place.authority.file)
    unverified.check_hostname = False
    with place.plain("several") as client:
        assert place.shown_to(client, "three.test", unverified) == ["mail.one.test", "*.one.test"]


def test_the_nodes_own_certificate_is_for_its_own_eyes_and_stays(place):
    folder = place.node.data / "tls"
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with place.plain() as client:
        names = place.shown_to(client, "mx.test", place.context())
    assert names[:2] == ["mx.test", "localhost"]


def test_a_certificate_is_replaced_without_a_restart(shared_lab, tmp_path):
    authority = CertificateAuthority(tmp_path)
    shown, key = tmp_path / "shown.pem", tmp_path / "shown.key"
    listener = f'ESMTP_Listener "default" {{ TLS_Certificate = "{shown}" TLS_Key = "{key}" }}'

    def put(issued):
        shown.write_bytes(issued.certificate.read_bytes())
        key.write_bytes(issued.key.read_bytes())

    def names(node):
        context = ssl.create_default_context(cafile=str(authority.file))
        context.check_hostname = False
        with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as client:
            client.starttls(context=context)
            return [value for _, value in client.sock.getpeercert()["subjectAltName"]]

    put(authority.issue("before.test"))
    with Node(listener, workers=2) as node:
        with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as open_session:
            assert names(node) == ["before.test"]
            put(authority.issue("after.test"))
            node.cli("reload")
            assert {names(node)[0] for _ in range(4)} == {"after.test"}
            assert open_session.noop()[0] == 250
        shown.write_text("no certificate")
        node.reload()
        node.program.wait_for("no certificate in PEM")
        assert names(node) == ["after.test"]


def test_a_certificate_that_has_expired_is_shown_and_spoken_of(tmp_path):
    past = datetime.now(UTC) - timedelta(days=2)
    old = CertificateAuthority(tmp_path).issue("old.test", begins=past - timedelta(days=9), ends=past)
    with Node(OWN.format(old.both), workers=1) as node:
        warned = node.wait_for_event("tls", level="warning")
        assert "has expired" in warned[0]["problem"]
        metric = node.get("/metrics")[1]
        assert f'angarium_tls_certificate_not_after_timestamp_seconds{{certificate="{old.both}"}}' in metric
        with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
            with pytest.raises(ssl.SSLCertVerificationError):
                client.starttls(
                    context=ssl.create_default_context(cafile=str(tmp_path / "test-authority.pem"))
                )
            client.close()


# -- certificates of clients


def relayed(client):
    client.mail("a@far.test")
    return client.rcpt("b@far.test")[0]


def lets_in(client, context):
    with contextlib.closing(client):
        try:
            client.starttls(context=context)
            return client.ehlo()[0] == 250  # TLS 1.3: the client hears of its own certificate only now
        except (OSError, smtplib.SMTPException):
            return False


def test_a_client_certificate_that_is_believed_lets_relay(place):
    for issued, code in ((place.authority.issue("client.test"), 250), (None, 550)):
        context = place.context()
        if issued is not None:
            context.load_cert_chain(issued.both)
        with place.plain("clients") as client:
            client.starttls(context=context)
            client.ehlo()
            assert relayed(client) == code


def test_a_client_certificate_of_somebody_else_proves_nothing(place, tmp_path):
    context = place.context()
    context.load_cert_chain(CertificateAuthority(tmp_path, "Somebody Else").issue("client.test").both)
    assert not lets_in(place.plain("clients"), context)


def test_without_a_certificate_there_is_no_session_where_one_is_required(place):
    assert not lets_in(place.plain("strict"), place.context())


def test_a_node_does_not_start_with_a_certificate_that_is_of_no_use(tmp_path):
    with pytest.raises(Exception, match=r"nothere\.pem: no such file or directory"):
        Node(OWN.format(tmp_path / "nothere.pem"), workers=1).close()
