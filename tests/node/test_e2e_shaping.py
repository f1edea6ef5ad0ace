"""Limits, throttles, connections and lanes, as the receiving side sees them. Mail comes in over both workers."""

import smtplib
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from angarium.testing.lab import submit, submit_over
from angarium.testing.node import Node

pytestmark = pytest.mark.process

CONFIG = """
Hostname = node.test
DNS_Servers = ( "{dns}" )
Remote_SMTP_Port = {port}
Host_Failure_Retry = 0

Domain "conns.test" {{ Routes = ( "127.0.0.1:{conns}" ) Max_Outbound_Connections = 3 }}
Domain "one.test" {{ Routes = ( "127.0.0.1:{one}" ) Max_Outbound_Connections = 1 }}
Domain "/^scope/" {{ Routes = ( "127.0.0.1:{scope}" ) Scope_Max_Outbound_Connections = 4 }}
Domain "/^server/" {{ Routes = ( "127.0.0.1:{server}" ) }}
Domain "/^crowd/" {{ Routes = ( "127.0.0.1:{crowd}" ) }}
Host "hosted.test" {{ Max_Outbound_Connections = 2 }}
Domain "/^rate/" {{ Routes = ( "127.0.0.1:{rate}" ) Outbound_Throttle_Messages = "20" }}
Domain "/^spent/" {{ Routes = ( "127.0.0.1:{spent}" ) Outbound_Throttle_Messages = "1/3600" }}
Domain "held.test" {{ Routes = ( "127.0.0.1:{rate}" ) Outbound_Throttle_Messages = "1/3600" }}
Domain "dials.test" {{
  Routes = ( "127.0.0.1:{dials}" ) Outbound_Throttle_Connections = "5" Max_Deliveries_Per_Connection = 1
}}
Domain "few.test" {{ Routes = ( "127.0.0.1:{few}" ) Max_Deliveries_Per_Connection = 5 Max_Outbound_Connections = 1 }}
Domain "bye.test" {{
  Routes = ( "127.0.0.1:{bye}" ) Max_Deliveries_Per_Connection = 1 Max_Outbound_Connections = 2 TLS = ifavailable
}}
Domain "batch.test" {{ Routes = ( "127.0.0.1:{batch}" ) Max_Recipients_Per_Batch = 4 }}
Domain "lanes.test" {{ Routes = ( "127.0.0.1:{lanes}" ) Max_Outbound_Connections = 1 Suspend_Delivery = {lanes_wait} }}

Binding "narrow" {{ Server_Max_Outbound_Connections = 2 }}
Binding_Rule "narrow" {{ Sender_Domain = ( narrow.test ) Use_Binding = "narrow" }}
"""

ZONE = """
hosted.test A 127.0.0.1
byhost1.test MX 10 hosted.test
byhost2.test MX 10 hosted.test
twin1.test MX 10 twins.test
twin2.test MX 10 twins.test
twins.test A 127.0.0.2
"""

SLOW = "on final: delay 0.05"


@pytest.fixture(scope="module")
def lab_peers(shared_lab):
    lab = shared_lab
    peers = {name: lab.sink(SLOW) for name in ("one", "scope", "server", "host")}
    peers["crowd"] = lab.sink(
        "on connect above 3: reply 421 4.7.0 too many connections; close\non final: delay 0.05"
    )
    peers["conns"] = lab.sink("on final: delay 0.2")  # slower than any machine sends
    peers |= {name: lab.sink() for name in ("rate", "dials", "few", "batch", "lanes")}
    peers["spent"] = lab.sink()
    peers["bye"] = lab.sink("tls starttls\non quit: delay 0.1")
    twins = lab.sink(host="127.0.0.2", port=peers["host"].port)
    return SimpleNamespace(**peers, twins=twins, dns=lab.dns(ZONE), names=list(peers))


def config(peers, lanes_wait="true"):
    ports = {name: getattr(peers, name).port for name in peers.names}
    return CONFIG.format(dns=peers.dns.address, port=peers.host.port, lanes_wait=lanes_wait, **ports)


@pytest.fixture(scope="module")
def node(lab_peers):
    with Node(config(lab_peers)) as running:
        yield running


def flood(node, recipients, *, sender="me@example.org", text=b"Date: x\r\n\r\ntext\r\n"):
    """Send a message to each, over four sessions at a time: two on each worker."""
    with ExitStack() as stack:
        port = node.smtp_port
        clients = [stack.enter_context(smtplib.SMTP("127.0.0.1", port, "client.test")) for _ in range(4)]
        for number, recipient in enumerate(recipients):
            submit_over(clients[number % 4], sender, [recipient], text)


def to(domain, count):
    return [f"u{number}@{domain}" for number in range(count)]


def workers_that(node, event, domain):
    return {each["worker"] for each in node.events if each["event"] == event and each.get("domain") == domain}


# -- connections


def test_connections_of_a_domain_are_limited_over_both_workers(node, lab_peers):
    flood(node, to("conns.test", 30))
    lab_peers.conns.wait_for_messages(30)
    assert lab_peers.conns.counters.most_connections == 3
    node.program.wait_until(lambda: len(workers_that(node, "delivered", "conns.test")) == 2, "both at work")


def test_a_connection_counts_until_the_peer_has_closed_it(node, lab_peers):
    flood(node, to("bye.test", 24))
    lab_peers.bye.wait_for_messages(24)
    assert lab_peers.bye.counters.connections == 24
    assert lab_peers.bye.counters.most_connections == 2
    node.program.wait_until(lambda: len(workers_that(node, "delivered", "bye.test")) == 2, "both at work")


def test_a_single_connection_is_used_by_both_workers_in_turn(node, lab_peers):
    flood(node, to("one.test", 60))
    lab_peers.one.wait_for_messages(60)
    assert lab_peers.one.counters.most_connections == 1


def test_a_peer_that_takes_three_sessions_gets_its_mail_through_three(node, lab_peers):
    """Twenty domains, and two workers that know nothing of each other's sessions."""
    flood(node, [to(f"crowd{number % 20}.test", 1)[0] for number in range(80)])
    lab_peers.crowd.wait_for_messages(80)
    assert not [each for each in node.events if each["event"] == "delayed" and "crowd" in each["domain"]]


def test_a_scope_limits_all_its_domains_together(node, lab_peers):
    flood(node, [to(f"scope{number % 10}.test", 1)[0] for number in range(80)])
    lab_peers.scope.wait_for_messages(80)
    assert lab_peers.scope.counters.most_connections <= 4


def test_a_binding_limits_its_connections_to_all_domains(node, lab_peers):
    flood(node, [to(f"server{number % 10}.test", 1)[0] for number in range(40)], sender="a@narrow.test")
    lab_peers.server.wait_for_messages(40)
    assert lab_peers.server.counters.most_connections <= 2


def test_a_host_limits_the_connections_of_all_domains_behind_it(node, lab_peers):
    flood(node, [to(f"byhost{1 + number % 2}.test", 1)[0] for number in range(40)])
    lab_peers.host.wait_for_messages(40)
    assert lab_peers.host.counters.most_connections <= 2


def test_a_connection_is_ended_after_its_deliveries(node, lab_peers):
    with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as client:
        for recipient in to("few.test", 12):
            submit_over(client, "me@example.org", [recipient])
    sessions = [message.session for message in lab_peers.few.wait_for_messages(12)]
    assert [sessions.count(number) for number in sorted(set(sessions))] == [5, 5, 2]


def test_an_idle_connection_takes_the_next_message(node, lab_peers):
    with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as client:
        for number in range(3):
            submit_over(client, "me@example.org", ["again@byhost1.test"])
            lab_peers.host.wait_for_mail_to("again@byhost1.test", number + 1)
    assert len({message.session for message in lab_peers.host.to("again@byhost1.test")}) == 1


def test_domains_with_the_same_hosts_share_a_connection(node, lab_peers):
    with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as client:
        for number in (1, 2):
            submit_over(client, "me@example.org", [f"you@twin{number}.test"])
            lab_peers.twins.wait_for_mail_to(f"you@twin{number}.test")
    assert [message.session for message in lab_peers.twins.messages] == [1, 1]


# -- rates


def most_within(times, seconds):
    times = sorted(times)
    return max(sum(start <= time < start + seconds for time in times) for start in times)


def test_a_throttle_is_shared_by_domains_and_workers(node, lab_peers):
    flood(node, [to(f"rate{number % 4}.test", 1)[0] for number in range(60)])
    times = [message.at for message in lab_peers.rate.wait_for_messages(60)]
    assert most_within(times, 1.0) <= 30, "20 a second and what a busy machine brings together, not 40"
    assert max(times) - min(times) > 1.9


def test_new_connections_are_throttled(node, lab_peers):
    flood(node, to("dials.test", 15))
    times = [message.at for message in lab_peers.dials.wait_for_messages(15)]
    assert lab_peers.dials.counters.connections == 15
    assert most_within(times, 1.0) <= 8, "5 a second and what a busy machine brings together, not 10"


def test_a_throttled_queue_names_what_holds_it_and_where_that_was_set(node, lab_peers, queue_row):
    flood(node, to("held.test", 4))
    row = queue_row(node, "held.test", lambda row: row and row["held_by"])
    held = row["held_by"][0]
    assert held["option"] == "Outbound_Throttle_Messages"
    assert held["where"].startswith(str(node.config_file))


def test_a_spent_throttle_opens_no_connection(node, lab_peers, queue_row):
    flood(node, [to(f"spent{number % 3}.test", 1)[0] for number in range(12)])
    for number in range(3):
        queue_row(node, f"spent{number}.test", lambda row: row and row["held_by"] and not row["connections"])
    assert lab_peers.spent.counters.messages == 1
    assert lab_peers.spent.counters.connections == 1


# -- recipients and lanes


def test_a_message_for_many_goes_in_batches(node, lab_peers):
    submit(node.smtp_port, "me@example.org", to("batch.test", 10))
    lab_peers.batch.wait_for(lambda: lab_peers.batch.counters.recipients == 10)
    sizes = sorted(len(message.recipients) for message in lab_peers.batch.messages)
    assert sizes == [2, 4, 4]


def test_transactional_mail_passes_a_bulk_backlog(node, lab_peers, ask):
    with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as client:
        for recipient in to("lanes.test", 50):
            submit_over(client, "me@example.org", [recipient], b"Priority: non-urgent\r\n\r\nbulk\r\n")
        submit_over(client, "me@example.org", ["urgent@lanes.test"])
    node.configure(config(lab_peers, lanes_wait="false"))
    ask(node, "reload")
    messages = lab_peers.lanes.wait_for_messages(51)
    order = [message.recipients[0] for message in messages]
    # One of the backlog may have been on its way when the urgent one came up.
    assert order.index("urgent@lanes.test") <= 1
