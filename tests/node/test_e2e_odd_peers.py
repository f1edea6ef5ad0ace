"""The whole program with peers that offer what they cannot do, and what is remembered of them."""

import pytest

from angarium.cli.client import ControlClient
from angarium.testing.lab import TEXT, Lab, LabSink, submit
from angarium.testing.node import Node

pytestmark = pytest.mark.process

ME = "me@example.org"
TLS_FAILS_ONCE = "tls starttls\non handshake first 1: close\n"
MUST_ENCRYPT = "reply 530 5.7.0 Must issue a STARTTLS command first"
SCRIPTS = {
    "nobdat": "on bdat: reply 502 5.5.1 command not implemented",
    "sequence": "on bdat: reply 503 bad sequence of commands",
    "hangsup": "on bdat: close",
    "pipelining": "withhold CHUNKING\non rcpt first 1: reply 503 5.5.0 improper use of SMTP command pipelining",
    "discarded": "on bdat: close",
    "parameters": "withhold CHUNKING\non mail first 1: reply 555 5.5.4 unsupported option",
    "reuse": "withhold CHUNKING\non mail every 2: reply 503 5.5.1 nested MAIL command",
    "fallen": f"{TLS_FAILS_ONCE}on mail first 1: {MUST_ENCRYPT}",
    "busy": f"tls starttls\non starttls first 1: reply 454 4.7.0 not now\non mail first 1: {MUST_ENCRYPT}",
    "ascii": "withhold SMTPUTF8 CHUNKING",
    "seven": "withhold SMTPUTF8 8BITMIME",
    "crowded": "withhold CHUNKING\non rcpt to late@* first 1: reply 552 too many recipients",
    "curt": "on rcpt to late@* first 1: reply 421 4.5.3 too many recipients; close",
}
CONFIG = """
Retry_Interval = 1
Host_Failure_Retry = 1
Domain "discarded.test" { Discard_EHLO_Keywords = ( CHUNKING PIPELINING ) }
"""


@pytest.fixture(scope="module")
def sinks(shared_lab: Lab) -> dict[str, LabSink]:
    return {name: shared_lab.sink(script) for name, script in SCRIPTS.items()}


@pytest.fixture(scope="module")
def node(sinks):
    routes = (
        f'Domain "{name}.test" {{ Routes = ( "127.0.0.1:{sink.port}" ) }}\n' for name, sink in sinks.items()
    )
    with Node(CONFIG + "".join(routes), workers=1) as node:
        yield node


def happened(node: Node, message: str) -> list[str]:
    """The types of a message's events, once it is delivered or bounced to everybody."""
    events: list[str] = []

    def is_over() -> bool:
        with ControlClient(node.data) as client:
            answer = client.call("message", {"id": message}, kind=object)
        events[:] = [event["type"] for event in answer["events"]]
        return bool({"delivered", "bounced"} & set(events[-1:]))

    node.program.wait_until(is_over, f"the end of {message}")
    return events


def sent(node: Node, domain: str, *texts: bytes, mail: tuple[str, ...] = ()) -> list[str]:
    """Send one message after the other to *domain*; return what happened to them."""
    found = []
    for text in texts or (TEXT,):
        found += happened(node, submit(node.smtp_port, ME, [f"you@{domain}.test"], text, mail=mail))
    return found


def lessons(node: Node, sink: LabSink) -> list[str]:
    records = node.wait_for_event("distrust", peer=f"127.0.0.1:{sink.port}")
    return [record["keywords"] for record in records]


# -- a refusal of the command is not one of the mail


@pytest.mark.parametrize("domain", ["nobdat", "sequence"])
def test_who_does_not_know_bdat_gets_data_at_once_and_from_then_on(node, sinks, domain: str) -> None:
    assert sent(node, domain, TEXT, TEXT) == ["delivered", "delivered"]
    assert sinks[domain].counters.connections == 2
    assert lessons(node, sinks[domain]) == ["CHUNKING"]


def test_who_hangs_up_at_bdat_may_have_the_message_and_gets_data_next_time(node, sinks) -> None:
    assert sent(node, "hangsup", TEXT, TEXT) == ["ambiguous", "delivered", "delivered"]
    assert lessons(node, sinks["hangsup"]) == ["CHUNKING"]


def test_who_refuses_pipelined_commands_gets_one_at_a_time(node, sinks) -> None:
    assert sent(node, "pipelining", TEXT, TEXT) == ["delivered", "delivered"]
    assert lessons(node, sinks["pipelining"]) == ["PIPELINING"]


def test_what_the_configuration_discards_is_not_tried(node, sinks) -> None:
    assert sent(node, "discarded") == ["delivered"]
    assert sinks["discarded"].counters.connections == 1


def test_who_refuses_parameters_gets_none(node, sinks) -> None:
    assert sent(node, "parameters", TEXT, TEXT) == ["delivered", "delivered"]
    assert [message.mail_parameters for message in sinks["parameters"].messages] == ["", ""]
    assert sinks["parameters"].counters.connections == 1
    assert lessons(node, sinks["parameters"]) == ["SIZE"]


def test_who_takes_one_message_in_a_session_gets_the_next_in_another(node, sinks) -> None:
    assert sent(node, "reuse", TEXT, TEXT, TEXT) == ["delivered"] * 3
    assert [message.session for message in sinks["reuse"].messages] == [1, 2, 3]


# -- our own fall-back is not the peer's verdict


@pytest.mark.parametrize("domain", ["fallen", "busy"])
def test_clear_text_that_is_refused_is_put_off_and_encryption_tried_again(node, sinks, domain: str) -> None:
    assert sent(node, domain) == ["delayed", "delivered"]
    assert sinks[domain].messages[0].tls
    [delayed] = node.wait_for_event("delayed", domain=f"{domain}.test")
    assert delayed["reply"] == (
        "451 4.7.0 [internal] refused in clear text, and encryption has come to nothing: "
        "530 5.7.0 Must issue a STARTTLS command first"
    )


# -- a declaration is not a need

PLAIN = b"From: alerts@example.com\r\nSubject: disk full\r\n\r\nhello\r\n"
EIGHT_BIT = PLAIN + "grüße\r\n".encode()
LARGE = EIGHT_BIT + b"0123456789abcdef\r\n" * 70_000
UTF8 = "From: alerts@example.com\r\nSubject: größer\r\n\r\nhello\r\n".encode()


@pytest.mark.parametrize("text", [PLAIN, EIGHT_BIT, LARGE], ids=["plain", "8-bit", "large"])
@pytest.mark.parametrize("domain", ["ascii", "seven"])
def test_smtputf8_that_is_not_needed_is_not_asked_for(node, sinks, domain: str, text: bytes) -> None:
    sink = sinks[domain]
    assert sent(node, domain, text, mail=("BODY=8BITMIME", "SMTPUTF8")) == ["delivered"]
    [message] = sink.messages[-1:]
    assert "SMTPUTF8" not in message.mail_parameters
    assert ("BODY=8BITMIME" in message.mail_parameters) == (domain == "ascii" and text is not PLAIN)


def test_smtputf8_that_is_needed_is(node, sinks) -> None:
    assert sent(node, "ascii", UTF8, mail=("SMTPUTF8",)) == ["bounced"]
    assert sent(node, "pipelining", UTF8, mail=("SMTPUTF8",)) == ["delivered"]
    assert "SMTPUTF8" in sinks["pipelining"].messages[-1].mail_parameters


# -- known answers


def test_who_is_one_too_many_goes_with_the_next_transaction(node, sinks) -> None:
    to = ["one@crowded.test", "late@crowded.test"]
    message = submit(node.smtp_port, ME, to)
    sinks["crowded"].wait_for_messages(2)
    assert happened(node, message) == ["delivered", "delivered"]
    assert sinks["crowded"].counters.connections == 1


def test_who_says_so_by_421_and_hangs_up_has_the_message_at_once_in_parts(node, sinks) -> None:
    sink = sinks["curt"]
    who = [f"{name}@curt.test" for name in ("one", "two", "late")]
    assert happened(node, submit(node.smtp_port, ME, who, TEXT)) == ["delivered"] * 3
    assert [message.recipients for message in sink.messages] == [tuple(who[:2]), (who[2],)]
    assert sink.counters.connections == 2
    assert lessons(node, sink) == ["RCPTMAX=2"]
