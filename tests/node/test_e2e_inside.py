"""Where mail of a node goes that nobody has told of Prohibited_Hosts."""

import email

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import Node

pytestmark = pytest.mark.process

BY_DEFAULT = "Prohibited_Hosts = ( link-local loopback metadata unspecified )\n"


def report(sink, sender):
    """The reason given in the report that was sent to *sender*."""
    text = email.message_from_bytes(sink.wait_for_mail_to(sender)[0].data)
    return text.get_payload()[1].get_payload()[1]


def test_dns_leads_nobody_inside_and_the_configuration_does(lab):
    ours, inside = lab.sinks("127.0.0.2", "127.0.0.9")
    dns = lab.dns(
        "relay.test A 127.0.0.2\nevil.test MX 10 mx.evil.test\nmx.evil.test A 127.0.0.9\n"
        "mapped.test MX 10 six.test\nsix.test AAAA ::ffff:127.0.0.9"
    )
    config = (
        f'{BY_DEFAULT}DNS_Servers = ( "{dns.address}" )\nRemote_SMTP_Port = {ours.port}\nUse_IPv6 = true\n'
        'Domain "sender.test" { Gateway = "relay.test" }\n'
    )
    with Node(config, workers=1) as node:
        for number, domain in enumerate(
            ("evil.test", "mapped.test", "[127.0.0.9]", "[IPv6:::ffff:127.0.0.9]")
        ):
            sender = f"me{number}@sender.test"
            submit(node.smtp_port, sender, [f"you@{domain}"])
            fields = report(ours, sender)
            assert fields["Status"] == "5.4.6"
            reason = " ".join(fields["Diagnostic-Code"].split())
            assert "has the address 127.0.0.9, where Prohibited_Hosts (loopback) lets no mail go" in reason
        assert inside.counters.connections == 0
