"""Peers that take their time hold few of the connections that all share. Mail comes in over both workers."""

import smtplib
from contextlib import ExitStack

import pytest

from angarium.testing.lab import submit, submit_over
from angarium.testing.node import Node

pytestmark = pytest.mark.process

CONFIG = """
Hostname = node.test
DNS_Servers = ( "127.0.0.1:9" )
Domain "/^tarpit/" {{ Routes = ( "127.0.0.1:{tarpit}" ) }}
Domain "good.test" {{ Routes = ( "127.0.0.1:{good}" ) }}
{limit}
"""


@pytest.mark.parametrize(
    "limit",
    [
        "Server_Max_Outbound_Connections = 20",
        "Scope_Max_Outbound_Connections = 20",
        'Binding "default" { Server_Max_Outbound_Connections = 20 }',
    ],
)
def test_twelve_tarpits_leave_a_good_domain_its_connection(lab, limit):
    tarpit, good = lab.sink("on final: hang"), lab.sink()
    with Node(CONFIG.format(tarpit=tarpit.port, good=good.port, limit=limit)) as node:
        with ExitStack() as stack:
            port = node.smtp_port
            clients = [stack.enter_context(smtplib.SMTP("127.0.0.1", port, "client.test")) for _ in range(4)]
            for number in range(240):
                recipient = f"you@tarpit{number % 12}.test"
                submit_over(clients[number // 12 % 4], "me@example.org", [recipient])
        tarpit.wait_for(lambda: tarpit.counters.open_connections >= 12)
        for number in range(1, 11):
            submit(node.smtp_port, "me@example.org", ["you@good.test"])
            good.wait_for_mail_to("you@good.test", number)
        assert tarpit.counters.most_connections + good.counters.most_connections <= 20
