"""`docs/clients/mail-programs.md`: what the node tells mail programs, and that one who believes it can send."""

import re
import smtplib
import ssl
import urllib.request
import uuid
import xml.etree.ElementTree as ET
from typing import NamedTuple

import dns.rdatatype
import dns.zone
import pytest

from angarium.config.load import parse_config
from angarium.http.autoconfig import autoconfig, outgoing
from angarium.testing.programs import PATIENCE_S
from angarium.testing.service import Service
from angarium.testing.snippets import DOCS, sections

PAGE = DOCS / "clients" / "mail-programs.md"
CONFIG = """
Hostname = "mail.example.com"
ESMTP_Listener "submission" {
    Listen "*:587" { }
    Listen "*:465" { Use_SSL = true }
}
"""
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
REQUEST = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request><EMailAddress>{address}</EMailAddress></Request>
</Autodiscover>"""


class Told(NamedTuple):
    """One server, as a mail program is told it."""

    host: str
    port: int
    encryption: str
    user: str


def asked_by_thunderbird(service: Service, address: str) -> list[Told]:
    """Ask by the address in the docs."""
    found = re.search(
        r"^\$ curl http://127\.0\.0\.1:8080(\S+)bob@example\.org$", PAGE.read_text(), re.MULTILINE
    )
    assert found
    status, text = service.node.get(found[1] + address)
    assert status == 200
    names = ("hostname", "port", "socketType", "username")
    servers = [
        [server.findtext(name, "") for name in names] for server in ET.fromstring(text).iter("outgoingServer")
    ]
    return [
        Told(host, int(port), encryption, user.replace("%EMAILADDRESS%", address))
        for host, port, encryption, user in servers
    ]


def asked_by_outlook(service: Service, address: str) -> list[Told]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.node.http_port}/autodiscover/autodiscover.xml",
        data=REQUEST.format(address=address).encode(),
        headers={"Content-Type": "text/xml"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        document = ET.fromstring(answer.read())
    names = ("Server", "Port", "Encryption", "LoginName")
    servers = [
        [protocol.findtext(OUTLOOK + name, "") for name in names]
        for protocol in document.iter(f"{OUTLOOK}Protocol")
    ]
    return [Told(host, int(port), encryption, user) for host, port, encryption, user in servers]


@pytest.mark.parametrize("ask", [asked_by_thunderbird, asked_by_outlook])
def test_who_is_told_the_settings_can_send_with_each_of_them(service: Service, ask) -> None:
    person = service.identities["person"]
    told = ask(service, person.user)
    assert (told[0].port, told[0].encryption) == (service.tls_port, "SSL")
    assert service.node.smtp_port in [way.port for way in told]
    for way in told:
        if way.port != service.misnamed_port:
            send(service, way, person.password)


def send(service: Service, way: Told, password: str) -> None:
    context = ssl.create_default_context(cafile=str(service.ca))
    user = uuid.uuid4().hex
    if way.encryption == "SSL":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(way.host, way.port, context=context)
    else:
        smtp = smtplib.SMTP(way.host, way.port)
        smtp.starttls(context=context)
    with smtp:
        smtp.login(way.user, password)
        smtp.sendmail(way.user, [f"{user}@local.example.com"], "From: ann@example.org\r\n\r\ntext\r\n")
    assert b"with ESMTPSA" in service.dovecot.messages(user, 1)[0]


def test_the_document_shown_is_the_one_that_is_told() -> None:
    (shown,) = [
        block.text for block in sections("clients/mail-programs.md")["Programs that find it by themselves"]
    ]
    assert shown == autoconfig("example.org", "mail.example.com", outgoing(parse_config(CONFIG)))


def test_the_srv_records_are_a_zone_that_prefers_465() -> None:
    (block,) = sections("clients/mail-programs.md")["SRV records"]
    zone = dns.zone.from_text(
        "@ IN SOA ns root 1 1 1 1 1\n@ IN NS ns\n" + block.text, origin="example.org", relativize=False
    )
    found = {
        str(name): (record.priority, record.port, str(record.target))
        for name, _, record in zone.iterate_rdatas(dns.rdatatype.SRV)
    }
    assert found == {
        "_submissions._tcp.example.org.": (0, 465, "mail.example.com."),
        "_submission._tcp.example.org.": (10, 587, "mail.example.com."),
        "_imaps._tcp.example.org.": (0, 0, "."),
    }
