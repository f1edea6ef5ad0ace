"""Which way mail goes, seen by the peers that get it, or by the sender who is told why not."""

import email
from types import SimpleNamespace

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import Node

pytestmark = pytest.mark.process

TEXT = b"Date: x\r\nMessage-ID: <y>\r\n\r\ntext\r\n"

ZONE = """
mx1.test A 127.0.0.1
mx2.test A 127.0.0.2
busy.test A 127.0.0.3
later.test A 127.0.0.4
gone.test A 127.0.0.5            # nobody listens there
never.test A 127.0.0.6
listed.test A 127.0.0.14
nomail.test A 127.0.0.15
badname.test A 127.0.0.16

bounces.test MX 10 mx1.test
best.test MX 10 mx1.test
best.test MX 20 mx2.test
busybanner.test MX 10 busy.test
busybanner.test MX 20 mx2.test
busyehlo.test MX 10 later.test
busyehlo.test MX 20 mx2.test
listedbanner.test MX 10 listed.test
listedbanner.test MX 20 mx2.test
nevertakes.test MX 10 nomail.test
nevertakes.test MX 20 mx2.test
dislikesname.test MX 10 badname.test
dislikesname.test MX 20 mx2.test
refused.test MX 10 gone.test
refused.test MX 20 mx2.test
implicit.test A 127.0.0.2
null.test MX 0 .
alias.test CNAME best.test
forbidden.test MX 10 never.test
forbidden.test MX 20 mx1.test
broken.test !servfail
relay.test A 127.0.0.2
bound.test MX 10 mx1.test
grouped.test MX 10 mx1.test
paused.test MX 10 mx1.test
"""

CONFIG = """
Hostname = node.test
DNS_Servers = ( "{dns}" )
Remote_SMTP_Port = {port}
Host_Failure_Retry = 0
Retry_Interval = 1000
Prohibited_Hosts = ( 127.0.0.6 )

Domain "viagateway.test" {{ Gateway = "relay.test" }}
Domain "routed.test" {{ Routes = ( "127.0.0.9" "127.0.0.2" ) }}
Domain "local.test" {{ Routes = ( "127.0.0.1:{lmtp}" ) Delivery_Method = LMTP }}
Domain "paused.test" {{ Suspend_Delivery = true }}

Binding_Group "campaigns" {{
  EHLO_Hostname = campaign.test
  Binding "c1" {{ Bind_Address = 127.0.0.21 }}
  Binding "c2" {{ Bind_Address = 127.0.0.22 }}
}}
Binding "b2" {{ Bind_Address = 127.0.0.12 EHLO_Hostname = b2.test }}
Binding "b3" {{ Bind_Address = 127.0.0.13 }}
Binding_Rule "by header" {{ Header = [ "X-Campaign" = "^news" ] Use_Binding_Group = "campaigns" }}
Binding_Rule "by sender" {{ Sender_Domain = ( second.test ) Use_Binding = "b2" }}
Binding_Rule "by peer" {{ Peer = ( 127.0.0.33 ) Use_Binding = "b3" }}
"""


@pytest.fixture(scope="module")
def peers(shared_lab):
    lab = shared_lab
    mx1, mx2 = lab.sinks("127.0.0.1", "127.0.0.2")
    return SimpleNamespace(
        mx1=mx1,
        mx2=mx2,
        busy=lab.sink("on connect: reply 421 4.3.2 too busy; close", host="127.0.0.3", port=mx1.port),
        later=lab.sink("on ehlo: reply 450 4.3.2 later", host="127.0.0.4", port=mx1.port),
        never=lab.sink(host="127.0.0.6", port=mx1.port),
        listed=lab.sink(
            "on connect: reply 554 5.7.1 your address is on a list; close", host="127.0.0.14", port=mx1.port
        ),
        nomail=lab.sink(
            "on connect: reply 521 5.3.2 this host takes no mail; close", host="127.0.0.15", port=mx1.port
        ),
        badname=lab.sink("on ehlo: reply 550 5.7.1 not by that name", host="127.0.0.16", port=mx1.port),
        lmtp=lab.sink(
            "protocol lmtp\non rcpt to gone@*: reply 550 5.1.1 no such user\n"
            "on final to full@*: reply 552 5.2.2 over quota"
        ),
        dns=lab.dns(ZONE),
    )


@pytest.fixture(scope="module")
def node(peers):
    with Node(CONFIG.format(dns=peers.dns.address, port=peers.mx1.port, lmtp=peers.lmtp.port)) as running:
        yield running


@pytest.fixture
def send(node):
    def send_one(recipient, *, sender="me@bounces.test", text=TEXT, source="127.0.0.1"):
        return submit(node.smtp_port, sender, [recipient], text, source=source)

    return send_one


def report(sink, sender):
    """The fields of the report on one recipient that was sent to *sender*."""
    text = email.message_from_bytes(sink.wait_for_mail_to(sender)[0].data)
    return text.get_payload()[1].get_payload()[1]


# -- by DNS


def test_the_best_mx_gets_the_mail(send, peers):
    send("you@best.test")
    peers.mx1.wait_for_mail_to("you@best.test")
    assert peers.mx2.to("you@best.test") == []


@pytest.mark.parametrize(
    "trouble", ["busybanner", "busyehlo", "refused", "listedbanner", "nevertakes", "dislikesname"]
)
def test_the_next_mx_gets_the_mail_when_the_best_is_in_trouble(send, peers, trouble):
    send(f"you@{trouble}.test")
    peers.mx2.wait_for_mail_to(f"you@{trouble}.test")


def test_a_domain_without_mx_gets_its_mail_at_its_address(send, peers):
    send("you@implicit.test")
    peers.mx2.wait_for_mail_to("you@implicit.test")


def test_an_alias_is_followed_and_the_recipient_stays_as_written(send, peers):
    send("you@alias.test")
    peers.mx1.wait_for_mail_to("you@alias.test")


def test_an_address_literal_is_where_it_says(send, peers):
    send("you@[127.0.0.2]")
    peers.mx2.wait_for_mail_to("you@[127.0.0.2]")


@pytest.mark.parametrize(
    ("domain", "status"),
    [("null.test", "5.4.4"), ("nosuch.test", "5.4.4"), ("forbidden.test", "5.4.6")],
)
def test_the_sender_is_told_when_there_is_no_way(send, peers, domain, status):
    sender = f"why-{domain.partition('.')[0]}@bounces.test"
    send(f"you@{domain}", sender=sender)
    fields = report(peers.mx1, sender)
    assert fields["Action"] == "failed"
    assert fields["Status"] == status
    assert fields["Final-Recipient"] == f"rfc822; you@{domain}"


def test_a_prohibited_host_is_never_connected_to(send, peers):
    send("you@forbidden.test", sender="prohibited@bounces.test")
    peers.mx1.wait_for_mail_to("prohibited@bounces.test")
    assert peers.never.counters.connections == 0
    assert peers.mx1.to("you@forbidden.test") == []


def test_a_name_server_in_trouble_delays_and_bounces_nothing(node, send, queue_row):
    send("you@broken.test")
    row = queue_row(node, "broken.test", lambda row: row and row["delayed"] == 1)
    assert "4.4.3" in row["last_reply"]


# -- by configuration


def test_a_gateway_takes_the_mail_under_its_own_name(node, send, peers, ask):
    message = send("you@viagateway.test")
    peers.mx2.wait_for_mail_to("you@viagateway.test")
    node.program.wait_for(f'"delivered".*{message}')
    assert ask(node, "message", id=message)["recipients"][0]["domain"] == "relay.test"


def test_routes_are_tried_in_their_order(node, send, peers, ask):
    message = send("you@routed.test")
    peers.mx2.wait_for_mail_to("you@routed.test")
    node.program.wait_for(f'"delivered".*{message}')
    assert ask(node, "message", id=message)["recipients"][0]["domain"] == "routed.test"


def test_lmtp_judges_each_recipient_by_itself(node, peers):
    recipients = [f"{name}@local.test" for name in ("ann", "full", "bob", "gone")]
    submit(node.smtp_port, "lmtp@bounces.test", recipients)
    peers.lmtp.wait_for_messages(1)
    kept = {each for message in peers.lmtp.messages for each in message.recipients}
    assert kept == {"ann@local.test", "bob@local.test"}
    text = b"".join(m.data for m in peers.mx1.wait_for_mail_to("lmtp@bounces.test")).decode()
    assert text.count("Action: failed") == 2
    assert "550 5.1.1 no such user" in text
    assert "552 5.2.2 over quota" in text


# -- bindings


def test_without_a_rule_the_default_binding_speaks_as_the_node(send, peers):
    send("plain@bound.test")
    message = peers.mx1.wait_for_mail_to("plain@bound.test")[0]
    assert (message.peer, message.helo) == ("127.0.0.1", "node.test")


def test_a_rule_by_sender_gives_address_and_name(send, peers):
    send("bysender@bound.test", sender="a@second.test")
    message = peers.mx1.wait_for_mail_to("bysender@bound.test")[0]
    assert (message.peer, message.helo) == ("127.0.0.12", "b2.test")


def test_a_rule_by_peer_gives_its_binding(send, peers):
    send("bypeer@bound.test", source="127.0.0.33")
    assert peers.mx1.wait_for_mail_to("bypeer@bound.test")[0].peer == "127.0.0.13"


def test_a_rule_by_header_draws_among_the_bindings_of_its_group(send, peers):
    for _ in range(20):
        send("byheader@grouped.test", text=b"X-Campaign: news-7\r\n" + TEXT)
    messages = peers.mx1.wait_for_mail_to("byheader@grouped.test", 20)
    assert {message.peer for message in messages} == {"127.0.0.21", "127.0.0.22"}
    assert {message.helo for message in messages} == {"campaign.test"}


# -- suspended


def test_suspended_mail_waits_and_says_so_and_goes_after_a_reload(node, send, peers, ask, queue_row):
    send("you@paused.test")
    row = queue_row(
        node, "paused.test", lambda row: row and row["active"] + row["delayed"] == 1 and row["held_by"]
    )
    assert row["held_by"][0]["option"] == "Suspend_Delivery"
    assert row["held_by"][0]["where"].startswith(str(node.config_file))
    before = CONFIG.format(dns=peers.dns.address, port=peers.mx1.port, lmtp=peers.lmtp.port)
    node.configure(before.replace("Suspend_Delivery = true", "Suspend_Delivery = false"))
    assert ask(node, "reload")["changed_listeners"] == []
    peers.mx1.wait_for_mail_to("you@paused.test")
