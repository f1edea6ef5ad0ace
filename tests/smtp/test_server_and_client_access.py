"""Our client machine comes into our server machine: by STARTTLS, AUTH and XCLIENT, however the bytes are cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.core.records import ForwardPath
from angarium.smtp.client.events import (
    ClientAuth,
    ClientEvent,
    ClientSettings,
    NeedTls,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine
from angarium.smtp.sasl.client import client_exchange
from angarium.smtp.sasl.exchange import OUTGOING_MECHANISMS
from angarium.testing.server_peer import ServerPeer

SERVED = [name for name in OUTGOING_MECHANISMS if name != "XOAUTH2"]
ALL_XCLIENT = "option xclient NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
ORIGIN = (
    ("ADDR", "2001:db8::7"),
    ("NAME", ""),
    ("PORT", "40123"),
    ("PROTO", "ESMTP"),
    ("HELO", "client.example"),
)


def login(mechanism: str, password: str) -> ClientAuth:
    return ClientAuth(
        mechanism=mechanism,
        begin=lambda: client_exchange(mechanism, "alice", password, "cnonce"),
        secret=password,
    )


def carried(server: ServerPeer, client: ClientMachine, step: int) -> list[ClientEvent]:
    """Carry bytes between the two, *step* at a time, until both are silent; a handshake is made when both want it."""
    events: list[ClientEvent] = []
    while True:
        there, back = b"".join(client.take_output()), server.take_output()
        for at in range(0, len(there), step):
            server.send(there[at : at + step])
        for at in range(0, len(back), step):
            client.receive(back[at : at + step], 0.0)
        new = client.take_events()
        events += new
        if any(isinstance(event, NeedTls) for event in new):
            assert server.machine.state == "tls"
            server.machine.secured(0.0)
            client.secured(0.0)
        elif not there and not back:
            return events


PATH = ForwardPath(address="bob@to.example", domain="to.example")


@settings(max_examples=60)
@given(st.sampled_from(SERVED), st.integers(1, 100), st.booleans())
def test_a_message_goes_through(mechanism: str, step: int, introduces: bool) -> None:
    options = ["option starttls true", f"option auth {mechanism}", "user alice secret"]
    server = ServerPeer(*options, *([ALL_XCLIENT] if introduces else []))
    wanted = ClientSettings(
        ehlo_name="me.example", tls="required", auth=login(mechanism, "secret"), xclient="ifavailable"
    )
    client = ClientMachine(wanted)
    client.start(0.0)
    carried(server, client, step)
    client.deliver(Transaction("a@from.example", [PATH], b"", b"text\r\n", 6, xclient=ORIGIN), 0.0)
    events = carried(server, client, step)
    assert server.handler.bodies == [b"text\r\n"]
    assert [event.results[0].verdict for event in events if isinstance(event, TransactionFinished)] == [
        "delivered"
    ]
    assert (server.machine.is_encrypted, server.machine._commands.exchange.is_done) == (True, True)
    said = [event for event in server.handler.events if event.startswith("xclient")]
    assert said == introduces * [
        "xclient ADDR=2001:db8::7 NAME=[UNAVAILABLE] PORT=40123 PROTO=ESMTP HELO=client.example"
    ]


@pytest.mark.parametrize("mechanism", SERVED)
def test_with_a_wrong_password_nothing_can_be_sent(mechanism: str) -> None:
    server = ServerPeer("option starttls true", f"option auth {mechanism}", "user alice secret")
    wanted = ClientSettings(ehlo_name="me.example", tls="required", auth=login(mechanism, "wrong"))
    client = ClientMachine(wanted)
    client.start(0.0)
    carried(server, client, 65_536)
    assert not client.is_ready
    assert not server.machine._commands.exchange.is_done
