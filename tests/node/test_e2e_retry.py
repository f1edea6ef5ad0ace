"""What happens to mail that is not taken at once, and what its sender is told (RFC 3461, RFC 3464)."""

import email
from types import SimpleNamespace

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

CONFIG = """
Hostname = node.test
Host_Failure_Retry = 1
Retry_Interval = 1
Domain "bounces.test" {{ Routes = ( "127.0.0.1:{back}" ) }}
Domain "/^far/" {{ Routes = ( "127.0.0.1:{far}" ) }}
Domain "plain.test" {{ Routes = ( "127.0.0.1:{plain}" ) }}
Domain "tired.test" {{ Routes = ( "127.0.0.1:{far}" ) Max_Retries = 1 }}
Domain "old.test" {{ Routes = ( "127.0.0.1:{far}" ) Message_Expiration = 2 }}
Domain "once.test" {{ Routes = ( "127.0.0.1:{far}" ) Never_Retry = true }}
Domain "slow.test" {{ Routes = ( "127.0.0.1:{far}" ) Retry_Interval = 2 Delay_DSN_Retry_Interval = 1 }}
Domain "down.test" {{ Routes = ( "127.0.0.1:1" ) MX_Failures_To_Delay = 2 Retry_Interval = 1000 }}
Domain "full.test" {{ Routes = ( "127.0.0.1:{far}" ) Bounces_Inline_Original = all }}
"""

FAR = """
on rcpt to later@* first 1: reply 450 4.2.0 try later
on rcpt to never@*: reply 550 5.1.1 no such user
on rcpt to still@*: reply 451 4.7.1 not now
on final to spam@*: reply 554 5.7.1 looks like spam
on mail from refused@*: reply 550 5.7.1 not from you
on rcpt to half@* first 1: close
"""


@pytest.fixture(scope="module")
def peers(shared_lab):
    return SimpleNamespace(
        far=shared_lab.sink(FAR),
        back=shared_lab.sink(),
        plain=shared_lab.sink("withhold DSN"),
    )


@pytest.fixture(scope="module")
def node(peers):
    ports = {name: sink.port for name, sink in vars(peers).items()}
    with Node(CONFIG.format(**ports)) as running:
        yield running


@pytest.fixture
def send(node):
    def send_to(recipient, sender="me@bounces.test", **kwargs):
        return submit(node.smtp_port, sender, [recipient], **kwargs)

    return send_to


@pytest.fixture
def report(peers):
    """Wait for the report to a sender: the message, its per-message and its only per-recipient fields."""

    def wait(sender):
        message = peers.back.wait_for_mail_to(sender)[0]
        parsed = email.message_from_bytes(message.data)
        status = parsed.get_payload()[1].get_payload()
        return SimpleNamespace(
            sender=message.reverse_path, parts=parsed.get_payload(), head=status[0], of=status[1]
        )

    return wait


def events(ask, node, message):
    return ask(node, "message", id=message)["events"]


# -- retry


def test_a_temporary_refusal_is_tried_again_after_the_interval(node, send, peers, ask, drained):
    message = send("later@far.test")
    peers.far.wait_for_mail_to("later@far.test")
    drained(node, "far.test")
    first, second = events(ask, node, message)
    assert (first["type"], first["reply"]) == ("delayed", "450 4.2.0 try later")
    assert (second["type"], second["attempts"]) == ("delivered", 2)
    assert 1.0 <= second["attempt"]["started_at"] - first["at"] < PATIENCE_S


def test_a_connection_lost_in_the_middle_is_tried_again(send, peers):
    send("half@far.test")
    peers.far.wait_for_mail_to("half@far.test")


def test_a_dead_destination_is_delayed_as_a_whole_and_says_so(node, send, queue_row):
    for number in range(5):
        send(f"u{number}@down.test")
    row = queue_row(node, "down.test", lambda row: row and row["held_by"] and row["delayed"] == 5)
    assert "onnection refused" in row["last_reply"] or "cannot connect" in row["last_reply"]
    assert row["connections"] == 0


# -- failure


def test_a_permanent_refusal_is_reported_with_what_the_peer_said(send, report):
    send(
        "never@far.test",
        "told@bounces.test",
        mail=["ENVID=abc+2Bdef"],
        rcpt=["ORCPT=rfc822;first+2Bname@far.test"],
    )
    told = report("told@bounces.test")
    assert told.sender == ""
    assert told.head["Original-Envelope-Id"] == "abc+def"
    assert told.head["Reporting-MTA"] == "dns; node.test"
    assert told.of["Final-Recipient"] == "rfc822; never@far.test"
    assert told.of["Original-Recipient"] == "rfc822; first+name@far.test"
    assert (told.of["Action"], told.of["Status"]) == ("failed", "5.1.1")
    assert told.of["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert told.of["Remote-MTA"]


def test_a_refusal_is_reported_to_and_of_addresses_that_are_longer_or_odder_than_they_should_be(
    node, send, report, ask
):
    sender = "bounces+" + "0123456789abcdef" * 40 + "=x@bounces.test"
    message = send("never@far_host.test.", sender, rcpt=["ORCPT=rfc822;a=b@far.test"])
    told = report(sender)
    assert told.of["Final-Recipient"] == "rfc822; never@far_host.test"
    assert told.of["Original-Recipient"] == "rfc822; a=b@far.test"
    assert told.of["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    (failed,) = events(ask, node, message)
    assert (failed["type"], failed["domain"]) == ("bounced", "far_host.test")
    sender = '"told..twice"@bounces.test'
    send("never@far.test", "told..twice@bounces.test")
    assert report(sender).of["Final-Recipient"] == "rfc822; never@far.test"


@pytest.mark.parametrize(
    ("recipient", "sender", "status"),
    [("spam@far1.test", "spammer@bounces.test", "5.7.1"), ("you@far2.test", "refused@bounces.test", "5.7.1")],
)
def test_a_refusal_at_any_stage_is_reported(send, report, recipient, sender, status):
    send(recipient, sender)
    assert report(sender).of["Status"] == status


@pytest.mark.parametrize(("domain", "reason"), [("tired", "number of tries"), ("old", "within the time")])
def test_mail_that_is_given_up_is_reported_with_the_last_answer(send, report, domain, reason):
    send(f"still@{domain}.test", f"{domain}@bounces.test")
    told = report(f"{domain}@bounces.test")
    assert (told.of["Action"], told.of["Status"]) == ("failed", "5.4.7")
    text = str(told.parts[0]) + str(told.of)
    assert "451 4.7.1 not now" in text


def test_never_retry_makes_a_temporary_failure_final(node, send, report, ask):
    message = send("still@once.test", "once@bounces.test")
    assert report("once@bounces.test").of["Action"] == "failed"
    node.program.wait_until(lambda: events(ask, node, message), "the event")
    assert [event["type"] for event in events(ask, node, message)] == ["bounced"]


# -- who is told, and how much


def test_the_null_sender_is_told_nothing(node, send, peers, ask):
    message = send("never@far.test", "", text=b"Subject: from nobody\r\n\r\ntext\r\n")
    node.program.wait_until(lambda: events(ask, node, message), "the event")
    assert [event["type"] for event in events(ask, node, message)] == ["bounced"]
    send("never@far.test", "after-nobody@bounces.test")
    peers.back.wait_for_mail_to("after-nobody@bounces.test")
    assert not any(b"from nobody" in each.data for each in peers.back.messages)


def test_a_sender_who_wants_no_report_gets_none(node, send, peers, ask):
    silent = send("never@far.test", "silent@bounces.test", rcpt=["NOTIFY=NEVER"])
    node.program.wait_for(f'"bounced".*{silent}')
    send("never@far.test", "loud@bounces.test", rcpt=["NOTIFY=FAILURE"])
    peers.back.wait_for_mail_to("loud@bounces.test")
    assert peers.back.to("silent@bounces.test") == []


def test_notify_is_passed_on_to_a_peer_that_takes_it_over(send, peers):
    send("ok@far.test", "passed@bounces.test", mail=["RET=HDRS", "ENVID=e1"], rcpt=["NOTIFY=SUCCESS,DELAY"])
    message = peers.far.wait_for_mail_to("ok@far.test")[0]
    assert "RET=HDRS" in message.mail_parameters
    assert "ENVID=e1" in message.mail_parameters
    assert "NOTIFY=SUCCESS,DELAY" in message.rcpt_parameters[0]
    assert peers.back.to("passed@bounces.test") == []


def test_success_is_reported_as_relayed_where_the_peer_cannot(send, report):
    send("ok@plain.test", "happy@bounces.test", rcpt=["NOTIFY=SUCCESS"])
    told = report("happy@bounces.test")
    assert told.of["Action"] == "relayed"
    assert told.of["Status"].startswith("2.")


def test_a_delay_is_reported_to_who_asked(send, report):
    send("still@slow.test", "waiting@bounces.test", rcpt=["NOTIFY=DELAY,FAILURE"])
    told = report("waiting@bounces.test")
    assert told.of["Action"] == "delayed"
    assert told.of["Will-Retry-Until"]


LETTER = b"Subject: secret\r\nDate: x\r\nMessage-ID: <y>\r\n\r\nbody of the letter\r\n"


@pytest.mark.parametrize(("ret", "has_body"), [("FULL", True), ("HDRS", False)])
def test_ret_decides_how_much_comes_back(send, report, ret, has_body):
    sender = f"{ret.lower()}@bounces.test"
    send("never@far.test", sender, text=LETTER, mail=[f"RET={ret}"])
    returned = str(report(sender).parts[2])
    assert "Subject: secret" in returned
    assert ("body of the letter" in returned) is has_body


def test_a_stranger_gets_one_report_with_the_header_only(peers):
    """He may say any address: what the node sends there is no more than he could send himself."""
    config = CONFIG.format(**{name: sink.port for name, sink in vars(peers).items()})
    names = [f"never@far{number}.test" for number in range(20)]
    with Node(
        config + 'Relay_Hosts = ()\nRelay_Domains = ( "*.test" )\nBounces_Inline_Original = all'
    ) as node:
        submit(node.smtp_port, "victim@bounces.test", names, text=LETTER, mail=["RET=FULL"])
        told = email.message_from_bytes(peers.back.wait_for_mail_to("victim@bounces.test")[0].data)
    _, *of_each = told.get_payload()[1].get_payload()
    assert {fields["Final-Recipient"] for fields in of_each} == {f"rfc822; {name}" for name in names}
    assert "Subject: secret" in str(told)
    assert "body of the letter" not in str(told)
    assert len(peers.back.to("victim@bounces.test")) == 1  # the node has ended: no other is on its way


def test_the_option_decides_where_the_sender_did_not(send, report):
    send("never@full.test", "option@bounces.test", text=LETTER)
    assert "body of the letter" in str(report("option@bounces.test").parts[2])
