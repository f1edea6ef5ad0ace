"""`angarium message ID`: the whole story of a message."""

import json

import pytest

from angarium.cli.attempts import attempt_lines
from angarium.cli.kept import with_facts
from angarium.core.operations import MessageHistory, RecipientRow
from angarium.events.port import Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.testing.happenings import START, event, fact, reception

ID = "01a1fdba29c3712cb8cc52757d868ff0"
AT = 1_700_049_600.25

ATTEMPT = {
    "started_at": AT,
    "host": "mx.example.org",
    "peer": "192.0.2.1:25",
    "source": "198.51.100.7:40000",
    "stage": "rcpt",
    "method": "ESMTP",
    "session": "s1",
    "tls": "",
    "timings": [["connect", 12.34], ["banner", 5.0], ["rcpt", 80.06]],
    "bytes_sent": 120,
}
HISTORY = {
    "message": {
        "id": ID,
        "received_at": AT,
        "sender": "a@example.com",
        "recipients": ["b@example.org"],
        "size": 2048,
        "binding": "warm",
        "lane": "transactional",
        "source": "",
        "envid": "",
        "origin": {
            "listener": "default",
            "peer": "127.0.0.1:4000",
            "helo": "client.example",
            "protocol": "ESMTP",
            "session": "s0",
        },
    },
    "recipients": [{"message": ID, "recipient": "b@example.org", "binding": "warm", "domain": "example.org"}],
    "events": [
        {
            "type": "delayed",
            "at": AT + 1,
            "recipient": "b@example.org",
            "state": "queued",
            "due_at": AT + 61,
            "reply": "451 4.7.1 greylisted",
            "note": "",
            "attempt": ATTEMPT,
        },
        {
            "type": "cancelled",
            "at": AT + 9,
            "recipient": "b@example.org",
            "state": "cancelled",
            "due_at": None,
            "reply": "554 5.7.0 failed by the operator",
            "note": "wrong list",
            "attempt": None,
        },
    ],
}


@pytest.fixture(autouse=True)
def _node(control):
    """What the node says of itself: no configuration, and so an event store in its folder, where there is none."""
    control.says["node"] = {}


def test_what_came_back_is_told_with_what_the_node_knows(tmp_path):
    mail = reception(1, to=("gone@example.org", "ann@example.org"))
    store = SqliteEventStore(tmp_path)
    store.take([mail, *(event(mail, "delivered", "delivered", index=index) for index in (0, 1))])
    store.take([fact("late_bounce", mail, reply="550 5.1.1 no such mailbox", reason="no_such_recipient")])
    store.take([fact("complaint", mail, 2, type="abuse")])
    timeline = store.timeline(mail.message.id, Whose())
    rows = [RecipientRow(ID, path.address, state="delivered") for path in mail.message.recipients]
    events = [{"type": "delivered", "at": START + 1, "recipient": rows[0].recipient}]
    told = with_facts(MessageHistory({"id": ID}, rows, events), timeline)
    assert [(row.state, row.last_reply) for row in told.recipients] == [
        ("bounced", "550 5.1.1 no such mailbox"),
        ("delivered", ""),
    ]
    assert [(each["type"], each.get("note")) for each in told.events] == [
        ("received", ""),
        ("delivered", None),
        ("delivered", ""),
        ("late_bounce", "(no_such_recipient)"),
        ("complaint", "(abuse)"),
    ]


def test_envelope_recipients_events_and_the_timings_of_each_attempt(cli, control):
    control.says["message"] = HISTORY
    lines = cli("message", ID).stdout.splitlines()
    assert lines[0] == f"message {ID}, 2.0 KB, transactional, binding warm"
    assert lines[1].startswith("    received 2023-11-15 12:00:00.250Z, ")
    assert lines[2:4] == [
        "    from     <a@example.com>",
        "    by       ESMTP at listener default, from 127.0.0.1:4000 (HELO client.example), session s0",
    ]
    assert lines[6].split() == ["b@example.org", "queued", "warm", "example.org", "0", "-"]
    assert lines[8:] == [
        "2023-11-15 12:00:01.250Z  delayed    b@example.org  451 4.7.1 greylisted",
        "    next try 2023-11-15 12:01:01.250Z",
        "    ESMTP to mx.example.org 192.0.2.1:25 from 198.51.100.7:40000, session s1",
        "    reached rcpt: connect 12.3 ms, banner 5.0 ms, rcpt 80.1 ms",
        "2023-11-15 12:00:09.250Z  cancelled  b@example.org  554 5.7.0 failed by the operator  wrong list",
    ]


def test_whose_it_is_and_what_was_asked_for(cli, control):
    asked = {
        "account": 3,
        "server": 7,
        "options": {"stream": "outbound", "tags": ["welcome"], "metadata": {"order": "17"}},
        "copies": {"c@example.org": "bcc"},
        "submission": "01a1fdba29c3712cb8cc52757d868fff",
        "refusal": "550 5.6.0 there is no stream 'x'",
    }
    control.says["message"] = {**HISTORY, "message": {**HISTORY["message"], **asked}}
    assert cli("message", ID).stdout.splitlines()[4:9] == [
        "    account  3, server 7",
        '    options  stream outbound, tags ["welcome"], metadata {"order": "17"}',
        "    copies   c@example.org (bcc)",
        "    made of  01a1fdba29c3712cb8cc52757d868fff",
        "    refused  550 5.6.0 there is no stream 'x'",
    ]


def test_a_message_whose_envelope_is_forgotten_still_has_its_events(cli, control):
    control.says["message"] = {**HISTORY, "message": {"id": ID}, "recipients": []}
    result = cli("message", ID)
    assert result.stdout.splitlines()[0] == f"message {ID}; its envelope is no longer known"
    assert "greylisted" in result.stdout


def test_an_unknown_message_is_exit_code_1(cli, control):
    control.says["message"] = {"message": None}
    result = cli("message", ID)
    assert result.exit_code == 1
    assert f"message {ID} is not known" in result.stderr
    as_json = cli("message", ID, "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["message"]) == (1, None)


def test_the_story_as_json_is_one_document(cli, control):
    control.says["message"] = HISTORY
    document = json.loads(cli("message", ID, "--json").stdout)
    assert document["events"][0]["attempt"]["timings"][0] == ["connect", 12.34]


FACTS = {
    "version": "TLSv1.3",
    "cipher": "TLS_AES_256_GCM_SHA384",
    "verified": "",
    "problem": "",
    "names": [],
    "not_after": 0.0,
    "resumed": False,
}


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            {"verified": "host", "names": ["mx.example.org"], "resumed": True},
            "TLS: the certificate proves the host; certificate for mx.example.org; session resumed",
        ),
        (
            {"problem": "sent in clear text: closed by the peer"},
            "TLS: sent in clear text: closed by the peer",
        ),
    ],
)
def test_what_an_encrypted_connection_has_shown(facts, line):
    assert [f"    {line}"] == attempt_lines({**ATTEMPT, "tls_facts": {**FACTS, **facts}})[2:]
