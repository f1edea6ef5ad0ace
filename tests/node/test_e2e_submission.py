"""Mail in, seen from outside: who may send what, what is refused, and what becomes of the text."""

import hashlib
import smtplib
import socket

import pytest

from angarium.testing.lab import TEXT, submit, submit_over
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S
from angarium.testing.sink.store import without_trace

pytestmark = pytest.mark.process

STRANGERS = """
ESMTP_Listener "default" {{
  Relay_Hosts = ( 127.0.0.2 )
  Relay_Domains = ( ours.test )
  Max_Message_Size = 40000000
  Max_Recipients_Per_Message = 3
  Max_Errors_Per_Connection = 4
  Max_Line_Length = 4000
  Max_Received_Headers = 5
  Peer "127.0.0.3" {{ Relay_For_Sending_Domains = ( partner.test ) }}
  Peer "127.0.0.4" {{ Sessions_Per_Peer = 3 }}
  Peer "127.0.0.5" {{ Idle_Time = 3 }}
  Peer "127.0.0.6" {{ Min_Data_Rate = 1000000 Min_Data_Rate_Grace = 1 }}
  Peer "127.0.0.8" {{ Banner_Delay = 5 }}
  Peer "127.0.0.7" {{ RFC2822_Lone_LF_In_Body = fix }}
}}
Routes = ( "127.0.0.1:{port}" )
"""

FRIEND, PARTNER, CROWD, IDLER, SLUG, FIXED, HASTY = (f"127.0.0.{number}" for number in range(2, 9))


@pytest.fixture(scope="module")
def sink(shared_lab):
    return shared_lab.sink()


@pytest.fixture(scope="module")
def node(sink):
    with Node(STRANGERS.format(port=sink.port)) as running:
        yield running


@pytest.fixture
def connect(node):
    """Connect from a loopback address; a stranger's without one."""
    clients = []

    def dial(source="127.0.0.1"):
        client = smtplib.SMTP(
            "127.0.0.1", node.smtp_port, "client.test", source_address=(source, 0), timeout=PATIENCE_S
        )
        clients.append(client)
        client.ehlo()
        return client

    yield dial
    for client in clients:
        client.close()


def refused(client, sender, recipient):
    client.mail(sender)
    code, text = client.rcpt(recipient)
    client.rset()
    return code, text.split()[0].decode()


# -- who may send


def test_a_stranger_may_send_to_our_domains_and_nowhere_else(connect, sink):
    client = connect()
    assert refused(client, "a@far.test", "b@elsewhere.test") == (550, "5.7.1")
    submit_over(client, "a@far.test", ["stranger@ours.test"])
    sink.wait_for_mail_to("stranger@ours.test")


def test_a_relay_host_may_send_anywhere(node, sink):
    submit(node.smtp_port, "a@far.test", ["friend@elsewhere.test"], source=FRIEND)
    sink.wait_for_mail_to("friend@elsewhere.test")


def test_a_partner_may_send_anywhere_as_its_own_domain_only(connect, sink):
    client = connect(PARTNER)
    assert refused(client, "a@far.test", "b@elsewhere.test") == (550, "5.7.1")
    submit_over(client, "a@partner.test", ["partner@elsewhere.test"])
    sink.wait_for_mail_to("partner@elsewhere.test")


def test_a_source_route_or_percent_sign_does_not_get_round_the_relay_rules(connect):
    client = connect()
    for recipient in (
        "@ours.test:b@elsewhere.test",
        "b%elsewhere.test@far.test",
        "b@elsewhere.test@far.test",
    ):
        client.mail("a@far.test")
        assert client.docmd("RCPT", f"TO:<{recipient}>")[0] >= 500
        client.rset()


def test_what_is_written_loosely_is_passed_on_as_it_should_be(connect, sink):
    client = connect(FRIEND)
    long = "verp-confirm+" + "0123456789abcdef" * 20 + "@lists.far.test"
    assert client.docmd("MAIL", "FROM: root")[0] == 250
    odd = ("TO: abc.@Docomo.far.test.", "TO:< try..this@my_host.test >", f"TO:<{long}>\t")
    assert [client.docmd("RCPT", path)[0] for path in odd] == [250] * 3
    assert client.data(TEXT)[0] == 250
    for recipient in ('"abc."@Docomo.far.test', '"try..this"@my_host.test', long):
        message = sink.wait_for_mail_to(recipient)[0]
        assert message.reverse_path.startswith("root@")
        assert max(map(len, message.data.split(b"\r\n"))) < 998


@pytest.mark.parametrize("opening", ["DATA", "BDAT"])
def test_who_stops_sending_behind_the_message_is_answered_all_the_same(connect, sink, opening):
    body = TEXT + b".\r\n" if opening == "DATA" else b"BDAT %d LAST\r\n" % len(TEXT) + TEXT
    recipient = f"{opening.lower()}.half@elsewhere.test"
    client = connect(FRIEND)
    client.mail("a@far.test")
    client.rcpt(recipient)
    if opening == "DATA":
        client.docmd("DATA")
    client.sock.sendall(body + b"RSET\r\nRS")
    client.sock.shutdown(socket.SHUT_WR)
    said = client.file.readlines()
    assert said[-2].startswith(b"250 2.0.0 queued as ")
    assert said[-1] == b"250 2.0.0 ok\r\n"
    sink.wait_for_mail_to(recipient)


# -- what is added to the text


def header_of(message):
    return message.data.partition(b"\r\n\r\n")[0].lower()


def test_missing_date_and_message_id_are_added(node, sink):
    submit(node.smtp_port, "a@far.test", ["bare@ours.test"], source=FRIEND)
    header = header_of(sink.wait_for_mail_to("bare@ours.test")[0])
    assert header.count(b"\r\ndate:") == header.count(b"\r\nmessage-id:") == 1


def test_a_date_and_message_id_that_are_there_stay_as_they_are(node, sink):
    text = b"Message-Id: <my@own>\r\nDATE: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: x\r\n\r\ntext\r\n"
    submit(node.smtp_port, "a@far.test", ["whole@ours.test"], text, source=FRIEND)
    message = sink.wait_for_mail_to("whole@ours.test")[0]
    assert without_trace(message.data) == text


def test_received_names_the_client_and_the_message(node, sink):
    name = submit(node.smtp_port, "a@far.test", ["traced@ours.test"], source=FRIEND)
    received = sink.wait_for_mail_to("traced@ours.test")[0].data.partition(b"\r\nDate:")[0].decode()
    assert received.startswith("Received: from client.test (")
    assert all(word in received for word in (FRIEND, name, "for <traced@ours.test>", "with ESMTP"))


def test_the_body_arrives_byte_for_byte(node, sink):
    body = b"Subject: bytes\r\nDate: x\r\nMessage-ID: <y>\r\n\r\n..\r\n.\xff tail \t\r\n\r\n.x\r\n" + bytes(
        range(14, 256)
    )
    submit(
        node.smtp_port,
        "a@far.test",
        ["exact@ours.test"],
        body + b"\r\n",
        mail=["BODY=8BITMIME"],
        source=FRIEND,
    )
    assert without_trace(sink.wait_for_mail_to("exact@ours.test")[0].data) == body + b"\r\n"


# -- limits


def test_a_loop_is_refused(connect):
    looping = b"".join(b"Received: by h%d\r\n" % hop for hop in range(6)) + TEXT
    with pytest.raises(smtplib.SMTPResponseException) as refusal:
        submit_over(connect(FRIEND), "a@far.test", ["b@ours.test"], looping)
    assert refusal.value.smtp_code == 554


def test_a_message_that_says_it_is_too_large_is_refused_at_once(connect):
    client = connect(FRIEND)
    assert client.esmtp_features["size"] == "40000000"
    code, text = client.mail("a@far.test", ["SIZE=40000001"])
    assert (code, text.split()[0]) == (552, b"5.3.4")


def test_a_line_beyond_the_limit_is_refused_and_the_session_goes_on(connect, sink):
    client = connect(FRIEND)
    with pytest.raises(smtplib.SMTPResponseException) as refusal:
        submit_over(client, "a@far.test", ["overlong@ours.test"], TEXT + b"x" * 4001 + b"\r\n")
    assert refusal.value.smtp_code >= 500
    submit_over(client, "a@far.test", ["next@ours.test"])
    sink.wait_for_mail_to("next@ours.test")
    assert sink.to("overlong@ours.test") == []


def test_recipients_beyond_the_limit_are_put_off_and_the_others_served(connect, sink):
    client = connect(FRIEND)
    client.mail("a@far.test")
    answers = [client.rcpt(f"many{number}@ours.test")[0] for number in range(5)]
    assert answers == [250, 250, 250, 452, 452]
    assert client.data(TEXT)[0] == 250
    sink.wait_for(lambda: all(sink.to(f"many{number}@ours.test") for number in range(3)))


def test_too_many_errors_end_the_session(connect):
    client = connect()
    codes = [client.docmd("NONSENSE")[0] for _ in range(5)]
    assert codes == [500] * 5
    assert client.getreply()[0] == 421
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()


def test_sessions_of_a_peer_are_counted_over_both_workers(node, connect):
    for _ in range(3):
        connect(CROWD)
    with socket.create_connection(("127.0.0.1", node.smtp_port), PATIENCE_S, (CROWD, 0)) as fourth:
        assert fourth.recv(1000).startswith(b"421 4.4.5 too many sessions from your address")
    connect(FRIEND)


def worker_of(node, message):
    [received] = node.wait_for_event("received", message=message)
    return received["worker"]


def test_two_connections_land_on_two_workers(node, connect, sessions_are):
    """But for a time now and then when the other worker is not there within two milliseconds."""
    pairs = []
    for _ in range(20):
        sessions_are(node, 0)
        clients = [connect(FRIEND), connect(FRIEND)]
        pairs.append([submit_over(client, "a@far.test", ["pair@ours.test"]) for client in clients])
        for client in clients:
            client.close()
    workers = [{worker_of(node, message) for message in pair} for pair in pairs]
    assert workers.count({0, 1}) >= 17


def test_an_idle_session_is_ended_with_421(connect):
    client = connect(IDLER)
    assert client.getreply()[0] == 421


def test_a_body_that_drips_is_cut_off(connect):
    client = connect(SLUG)
    client.mail("a@far.test")
    client.rcpt("b@ours.test")
    client.putcmd("DATA")
    assert client.getreply()[0] == 354
    client.sock.sendall(b"Subject: slow\r\n")
    assert client.getreply()[0] == 421


# -- strictness


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r"])
def test_no_other_end_of_data_smuggles_a_second_message_in(connect, sink, ending):
    client = connect(FRIEND)
    client.mail("a@far.test")
    client.rcpt("first@ours.test")
    client.putcmd("DATA")
    client.getreply()
    second = b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<smuggled@ours.test>\r\nDATA\r\nSubject: evil\r\n\r\nx"
    client.sock.sendall(b"Subject: one\r\n\r\nx" + ending + second + b"\r\n.\r\n")
    code, _ = client.getreply()
    assert code >= 500
    submit_over(connect(FRIEND), "a@far.test", [f"after{ending.hex()}@ours.test"])
    sink.wait_for_mail_to(f"after{ending.hex()}@ours.test")
    assert sink.to("first@ours.test") == sink.to("smuggled@ours.test") == []


def test_where_line_ends_are_fixed_nothing_is_smuggled_either(connect, sink):
    client = connect(FIXED)
    client.mail("a@far.test")
    client.rcpt("fixed@ours.test")
    client.putcmd("DATA")
    client.getreply()
    client.sock.sendall(b"Subject: one\r\n\r\nx\n.\nMAIL FROM:<evil@far.test>\r\n.\r\n")
    assert client.getreply()[0] == 250
    text = sink.wait_for_mail_to("fixed@ours.test")[0].data
    assert text.endswith(b"\r\n\r\nx\r\n.\r\nMAIL FROM:<evil@far.test>\r\n")


def test_a_peer_that_talks_before_the_greeting_is_refused(node):
    with socket.create_connection(("127.0.0.1", node.smtp_port), PATIENCE_S, (HASTY, 0)) as early:
        early.sendall(b"EHLO early\r\n")
        assert early.recv(1000).startswith(b"554 5.5.0")
        assert early.recv(1000) == b""


# -- extensions


def test_bdat_in_pieces_arrives_whole(connect, sink):
    client = connect(FRIEND)
    client.mail("a@far.test", ["BODY=8BITMIME"])
    client.rcpt("chunks@ours.test")
    text = b"Date: x\r\nMessage-ID: <y>\r\nSubject: z\r\n\r\n\xc3\xa9\r\n.\r\nend\r\n"
    for start in range(0, len(text), 10):
        piece = text[start : start + 10]
        client.sock.sendall(b"BDAT %d\r\n" % len(piece) + piece)
        assert client.getreply()[0] == 250
    assert client.docmd("BDAT", "0 LAST")[0] == 250
    assert without_trace(sink.wait_for_mail_to("chunks@ours.test")[0].data) == text


def test_an_internationalised_address_passes(node, sink):
    with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test", source_address=(FRIEND, 0)) as client:
        client.command_encoding = "utf-8"
        submit_over(client, "jörg@far.test", ["übung@ours.test"], mail=["SMTPUTF8", "BODY=8BITMIME"])
    message = sink.wait_for_mail_to("übung@ours.test")[0]
    assert message.reverse_path == "jörg@far.test"
    assert "SMTPUTF8" in message.mail_parameters


# -- large bodies


def large_files(node):
    return [path for path in (node.data / "spool").rglob("large/*") if path.is_file()]


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_thirty_megabytes_pass_byte_for_byte_with_bounded_memory(node, connect, sink):
    line = hashlib.sha256(b"seed").hexdigest().encode() + b"\r\n"
    text = b"Date: x\r\nMessage-ID: <y>\r\n\r\n" + line * (30_000_000 // len(line))
    before = max(map(resident_bytes, node.pids[1:]))
    submit_over(connect(FRIEND), "a@far.test", ["large@ours.test"], text)
    message = sink.wait_for_mail_to("large@ours.test")[0]
    assert hashlib.sha256(without_trace(message.data)).digest() == hashlib.sha256(text).digest()
    assert max(map(resident_bytes, node.pids[1:])) - before < 20_000_000
    node.program.wait_until(lambda: large_files(node) == [], "the body's file gone")


def test_a_large_body_that_is_broken_off_leaves_no_file(node, connect):
    client = connect(FRIEND)
    client.mail("a@far.test")
    client.rcpt("broken@ours.test")
    client.putcmd("DATA")
    client.getreply()
    client.sock.sendall(b"Subject: big\r\n\r\n" + (b"x" * 998 + b"\r\n") * 3000)
    node.program.wait_until(lambda: large_files(node) != [], "a file for the body")
    client.close()
    node.program.wait_until(lambda: large_files(node) == [], "the file gone again")


# -- shutdown (a node of its own)


def test_a_stop_tells_waiting_sessions_and_does_not_lose_what_it_acknowledged(lab):
    sink = lab.sink("on connect first 1: hang")
    with Node(f'Routes = ( "127.0.0.1:{sink.port}" )\nHost_Failure_Retry = 0\n') as node:
        submit(node.smtp_port, "a@far.test", ["kept@ours.test"])
        sink.wait_for(lambda: sink.counters.connections == 1)
        waiting = smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S)
        sending = smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S)
        for client in (waiting, sending):
            client.ehlo()
        sending.mail("a@far.test")
        sending.rcpt("half@ours.test")
        sending.putcmd("DATA")
        sending.getreply()
        sending.sock.sendall(b"Subject: half\r\n")
        assert node.stop() == 0
        assert waiting.getreply()[0] == 421
        assert sending.getreply()[0] == 421
        for client in (waiting, sending):
            client.close()
        node.start()
        sink.wait_for_mail_to("kept@ours.test")
        assert sink.to("half@ours.test") == []
