"""Listeners behind a load balancer: the PROXY header, from whom it counts, and TLS behind it."""

import smtplib
import socket
import ssl
import struct
from ipaddress import ip_address

import pytest

from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S, free_port

pytestmark = pytest.mark.process

CONFIG = """
Hostname = mx.test
Relay_Hosts = ( 127.0.0.9 192.0.2.9 )
ESMTP_Listener "behind" {{
  Sessions_Per_Peer = 2
  Peer "192.0.2.66" {{ Banner_Hostname = special.test }}
  Listen "127.0.0.1:{clear}" {{
    Proxy_Protocol = true
    Proxy_Hosts = ( 127.0.0.1 127.0.0.9 )
    Proxy_Protocol_Timeout = 3
  }}
  Listen "127.0.0.1:{tls}" {{ Proxy_Protocol = true Use_SSL = true }}
}}
"""
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_1(source):
    return f"PROXY TCP4 {source} 192.0.2.1 4711 25\r\n".encode()


def version_2(source, command=0x21):
    addresses = ip_address(source).packed + ip_address("192.0.2.1").packed + struct.pack("!HH", 4711, 25)
    additions = b"\x04\x00\x03abc"
    size = struct.pack("!H", len(addresses + additions))
    return SIGNATURE + bytes((command, 0x11)) + size + addresses + additions


class Place:
    def __init__(self):
        self.ports = {"clear": free_port(), "tls": free_port()}
        self.node = Node(CONFIG.format(**self.ports), workers=1)

    def connect(self, listener, *pieces, source="127.0.0.1"):
        """Connect, send *pieces*, each in a write of its own that arrives before the next, and return the socket."""
        raw = socket.create_connection(
            ("127.0.0.1", self.ports[listener]), PATIENCE_S, source_address=(source, 0)
        )
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            raw.sendall(piece)
        return raw


@pytest.fixture(scope="module")
def place():
    made = Place()
    with made.node:
        yield made


def talk(raw):
    """An SMTP client over a socket that is open already."""
    client = smtplib.SMTP(local_hostname="client.test")
    client.sock = raw
    assert client.getreply()[0] == 220
    client.ehlo()
    return client


def said(raw):
    """All that is said before the connection ends, however it does."""
    text = b""
    try:
        while piece := raw.recv(100):
            text += piece
    except ConnectionResetError:
        pass
    return text


def relays(client):
    client.mail("a@far.test")
    code = client.rcpt("b@far.test")[0]
    client.rset()
    return code == 250


@pytest.mark.parametrize("header", [version_1, version_2])
def test_the_client_behind_the_proxy_is_judged_not_the_proxy(place, header):
    with talk(place.connect("clear", header("192.0.2.9"))) as client:
        assert relays(client)
    with talk(place.connect("clear", header("192.0.2.8"))) as client:
        assert not relays(client)


def test_the_options_are_those_of_the_client(place):
    with talk(place.connect("clear", version_2("192.0.2.66"))) as client:
        assert client.ehlo()[1].startswith(b"special.test")


def test_a_header_in_pieces_is_read_as_one_in_a_row(place):
    text = version_1("192.0.2.9")
    with talk(place.connect("clear", *(bytes((byte,)) for byte in text))) as client:
        assert relays(client)
    text = version_2("192.0.2.9")
    with talk(place.connect("clear", text[:5], text[5:20], text[20:])) as client:
        assert relays(client)


def test_the_limit_of_sessions_counts_clients(place):
    with (
        talk(place.connect("clear", version_1("192.0.2.50"))),
        talk(place.connect("clear", version_1("192.0.2.50"))),
    ):
        third = place.connect("clear", version_1("192.0.2.50"))
        assert third.recv(4) == b"421 "
        third.close()
        with talk(place.connect("clear", version_1("192.0.2.51"))):
            assert place.node.cli("status")["health"]["not_ready"] == []


@pytest.mark.parametrize(("proxy", "may"), [("127.0.0.1", False), ("127.0.0.9", True)])
def test_a_proxy_that_speaks_for_itself_is_a_client_itself(place, proxy, may):
    with talk(place.connect("clear", version_2("192.0.2.9", command=0x20), source=proxy)) as client:
        assert relays(client) == may


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x21\0\0\0"])
def test_a_client_that_the_proxy_cannot_name_has_no_rights_of_the_proxys(place, header):
    with talk(place.connect("clear", header, source="127.0.0.9")) as client:
        assert not relays(client)


@pytest.mark.parametrize(
    "pieces", [(b"EHLO client.test\r\n",), (b"PROXY TCP4 nonsense\r\n",), (SIGNATURE + b"\xff\x11\0\0",), ()]
)
def test_without_a_good_header_in_time_the_connection_is_closed_in_silence(place, pieces):
    with place.connect("clear", *pieces) as raw:
        assert said(raw) == b""
    place.node.program.wait_for("no PROXY header")


def test_a_proxy_that_is_not_trusted_is_turned_away(place):
    with place.connect("clear", source="127.0.0.7") as raw:
        assert said(raw) == b""
    place.node.program.wait_for("not in Proxy_Hosts")
    metrics = place.node.get("/metrics")[1]
    assert 'angarium_sessions_refused_total{reason="proxy"}' in metrics


def test_tls_begins_behind_the_header(place):
    context = ssl.create_default_context(cafile=str(place.node.data / "tls/certificate.pem"))
    for header, may in ((version_1("192.0.2.9"), True), (version_2("192.0.2.8"), False)):
        raw = place.connect("tls", header)
        with talk(context.wrap_socket(raw, server_hostname="localhost")) as client:
            assert relays(client) is may


def test_nobody_who_was_turned_away_is_still_counted(place, sessions_are):
    for _ in range(4):  # Sessions_Per_Peer is 2
        with place.connect("clear", b"nonsense\r\n") as raw:
            assert said(raw) == b""
        with place.connect("tls", version_1("192.0.2.77"), b"no handshake\r\n") as raw:
            said(raw)
    sessions_are(place.node, 0)
    context = ssl.create_default_context(cafile=str(place.node.data / "tls/certificate.pem"))
    raw = place.connect("tls", version_1("192.0.2.77"))
    with talk(context.wrap_socket(raw, server_hostname="localhost")) as client:
        assert client.noop()[0] == 250
