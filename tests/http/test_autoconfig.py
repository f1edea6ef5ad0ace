"""What mail programs are told of this node, from its configuration."""

import time
import xml.etree.ElementTree as ET

import pytest
from starlette.applications import Starlette

from angarium.config.load import parse_config
from angarium.http.autoconfig import make_autoconfig_routes, outgoing

PORTS = """
Hostname = "mail.example.net"
ESMTP_Listener "submission" {
    Listen "*:587" { }
    Listen "*:465" { Use_SSL = true }
    Listen "*:25" { }
    Listen "/run/angarium.sock" { }
}
"""
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"
REQUEST = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request>
    <EMailAddress>{address}</EMailAddress>
    <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>
  </Request>
</Autodiscover>"""
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


@pytest.fixture
def web(make_api):
    config = parse_config(PORTS)
    return make_api(Starlette(routes=make_autoconfig_routes(lambda: config)))


def told(answer):
    """Return the servers that Thunderbird is told, in order."""
    return [
        (server.findtext("hostname"), int(server.findtext("port")), server.findtext("socketType"))
        for server in ET.fromstring(answer.body).iter("outgoingServer")
    ]


@pytest.mark.parametrize("path", [WELL_KNOWN, "/mail/config-v1.1.xml?emailaddress=ann@example.com"])
def test_thunderbird_is_told_every_tcp_socket_the_safest_first(web, path):
    answer = web("GET", path, key=None)
    assert answer.status == 200
    assert told(answer) == [
        ("mail.example.net", 465, "SSL"),
        ("mail.example.net", 587, "STARTTLS"),
        ("mail.example.net", 25, "STARTTLS"),
    ]


def test_thunderbird_is_told_how_to_log_in(web):
    server = next(ET.fromstring(web("GET", WELL_KNOWN, key=None).body).iter("outgoingServer"))
    assert server.get("type") == "smtp"
    assert server.findtext("authentication") == "password-cleartext"
    assert server.findtext("username") == "%EMAILADDRESS%"


def test_the_domain_is_that_of_the_address(web):
    answer = web("GET", "/mail/config-v1.1.xml?emailaddress=ann@Example.COM", key=None)
    assert ET.fromstring(answer.body).findtext("emailProvider/domain") == "example.com"


@pytest.mark.parametrize("address", ["ann@exa<mple.com", "%3Cx%3E@example.com", "nobody", "@", "a@b@c"])
def test_an_address_that_is_none_is_left_out(web, address):
    answer = web("GET", f"/mail/config-v1.1.xml?emailaddress={address}", key=None)
    assert ET.fromstring(answer.body).findtext("emailProvider/domain") == "mail.example.net"


def test_outlook_is_told_the_same(web):
    body = REQUEST.format(address="ann@example.com").encode()
    answer = web("POST", "/autodiscover/autodiscover.xml", raw=[body], key=None)
    assert answer.status == 200
    protocols = list(ET.fromstring(answer.body).iter(f"{OUTLOOK}Protocol"))
    assert [(p.findtext(f"{OUTLOOK}Port"), p.findtext(f"{OUTLOOK}Encryption")) for p in protocols] == [
        ("465", "SSL"),
        ("587", "TLS"),
        ("25", "TLS"),
    ]
    assert {p.findtext(f"{OUTLOOK}LoginName") for p in protocols} == {"ann@example.com"}


@pytest.mark.parametrize(
    "body", [b"<x/>", b"<EMailAddress>a\x01b@example.com</", "<EMailAddress>a\ufffeb@example.com</".encode()]
)
def test_outlook_without_an_address_is_refused_in_its_own_words(web, body):
    answer = web("POST", "/autodiscover/autodiscover.xml", raw=[body], key=None)
    assert answer.status == 400
    assert ET.fromstring(answer.body).findtext(".//{*}ErrorCode") == "600"


def test_a_giant_request_is_not_read(web):
    answer = web("POST", "/autodiscover/autodiscover.xml", raw=[b"x" * 65_536, b"x"], key=None)
    assert answer.status == 413


def test_blanks_around_the_address_are_not_part_of_it(web):
    body = b"<EMailAddress>\r\n  ann@example.com </EMailAddress>"
    answer = web("POST", "/autodiscover/autodiscover.xml", raw=[body], key=None)
    assert b"<LoginName>ann@example.com</LoginName>" in answer.body


def test_a_body_of_blanks_costs_no_more_than_another(web):
    """Anybody may send one: the pattern that finds the address has to take time in proportion to the length."""
    began = time.process_time()
    body = b"<EMailAddress>" + b" " * 60_000
    assert web("POST", "/autodiscover/autodiscover.xml", raw=[body], key=None).status == 400
    assert time.process_time() - began < 10.0


def test_entities_in_a_request_are_never_expanded(web):
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><EMailAddress>&a;@example.com</EMailAddress>'
    assert web("POST", "/autodiscover/autodiscover.xml", raw=[bomb], key=None).status == 400


def test_without_a_configuration_the_default_socket_is_told_as_this_machine_reaches_it():
    assert outgoing(parse_config("")) == [("127.0.0.1", 2525, "STARTTLS")]


@pytest.mark.parametrize("offered", ["PIPELINING STARTTLS", "PIPELINING AUTH"])
def test_a_socket_that_lets_nobody_log_in_or_does_not_encrypt_is_not_told(offered):
    config = parse_config(f"""
        ESMTP_Listener "relay" {{
            SMTP_Extensions = ( {offered} )
            Listen "*:25" {{ }}
        }}
        ESMTP_Listener "submission" {{ Listen "*:587" {{ }} }}
    """)
    assert [way.port for way in outgoing(config)] == [587]
