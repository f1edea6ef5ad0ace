"""What became of mail, at a terminal: exported as the API tells it."""

import json

import pytest

from angarium.cli.kept import with_facts
from angarium.core.operations import MessageHistory
from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.events.days import day_at
from angarium.events.port import Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.testing.happenings import START, an_id, event, fact, reception


@pytest.fixture
def data(tmp_path):
    """The data folder of a node that has taken three messages; one of them bounced."""
    store = SqliteEventStore(tmp_path / "events")
    told = [reception(number, to=(f"r{number}@example.com",)) for number in range(3)]
    gone = Reply(550, "5.1.1", "no such user")
    store.take([*told, event(told[1], "bounced", "bounced", reply=gone)])
    store.close()
    return tmp_path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_mail_is_exported_in_the_shape_of_the_api(cli, data):
    target = data / "mail.jsonl"
    done = cli("search", "--data", str(data), "--export", str(target), "status:bounced OR status:queued")
    assert done.output == f"3 recipients written to {target}\n"
    found = lines(target)
    assert [each["address"] for each in found] == ["r2@example.com", "r1@example.com", "r0@example.com"]
    assert found[1]["status"] == "bounced"
    assert found[1]["accepted_at"].endswith("Z")


def test_events_are_exported_by_type_and_from_a_number_on(cli, data):
    assert len(cli("events", "--data", str(data), "--export", "-").stdout.splitlines()) == 4
    bounced = cli("events", "--data", str(data), "--export", "-", "--type", "bounced")
    (line,) = bounced.stdout.splitlines()
    number = json.loads(line)["number"]
    assert cli("events", "--data", str(data), "--export", "-", "--after", str(number)).stdout == ""


def test_what_came_back_and_blames_nobody_says_why(cli, data):
    why = "it names no message that was sent from here"
    store = SqliteEventStore(data / "events")
    store.take([fact("feedback", None, why=why), fact("complaint", reception(2), 2, type="abuse")])
    store.close()
    listed = cli("events", "--data", str(data), "--type", "feedback", "--type", "complaint").stdout
    assert f"({why})" in listed
    assert "r2@example.com  (abuse)" in listed


def test_a_file_that_cannot_be_written_is_told(cli, data):
    done = cli("events", "--data", str(data), "--export", str(data / "nowhere" / "x"))
    assert done.exit_code == 1
    assert "cannot be written" in done.output


def test_a_type_that_there_is_not_is_told_with_the_one_that_is_meant(cli, data):
    done = cli("events", "--data", str(data), "--type", "bounce")
    assert done.exit_code == 1
    assert "did you mean bounced?" in done.output


def test_what_the_node_tells_and_what_was_kept_is_told_once(tmp_path):
    mail, said = reception(1), ("C: RCPT TO:<bob@example.com>", "S: 451 later")
    attempt = Attempt(started_at=START, stage="rcpt", host="mx.example.com", dialogue=said)
    failed = event(mail, "delayed", "queued", attempt=attempt)
    kept = SqliteEventStore(tmp_path)
    kept.take([mail, failed, fact("late_bounce", mail, 1)])
    timeline = kept.timeline(mail.message.id, Whose())
    kept.close()
    history = MessageHistory(
        message={"id": mail.message.id.hex()},
        events=[
            {"type": "received", "at": mail.message.received_at, "recipient": "", "attempt": None},
            {
                "type": "delayed",
                "at": failed.at,
                "recipient": "bob@example.com",
                "attempt": {},
                "state": "queued",
            },
            {"type": "flushed", "at": START + 9, "recipient": "bob@example.com", "attempt": None},
        ],
    )
    events = with_facts(history, timeline).events
    assert sorted(each["type"] for each in events) == ["delayed", "flushed", "late_bounce", "received"]
    (delayed,) = [each for each in events if each["type"] == "delayed"]
    assert delayed["state"] == "queued"
    assert delayed["attempt"]["dialogue"] == list(said)


def test_a_message_is_told_without_a_node(cli, data):
    shown = cli("message", "--data", str(data), an_id(1, START).hex()).stdout
    assert "as the recorder has kept it" in shown
    assert "bounced    r1@example.com  550 5.1.1 no such user" in shown


def test_a_day_that_names_nobody_says_so(cli, data):
    store = SqliteEventStore(data / "events")
    assert store.forget(day_at(START))
    store.close()
    shown = cli("message", "--data", str(data), an_id(1, START).hex()).stdout
    assert "\n    address forgotten\n" in shown
    assert "address forgotten  bounced" in shown
    assert "550 5.1.1\n" in shown
    listed = cli("search", "--data", str(data), "status:bounced").stdout
    assert "address forgotten  bounced  -" in listed
    (mail,) = cli("search", "--data", str(data), "--export", "-", "status:bounced").stdout.splitlines()
    assert (json.loads(mail)["address"], json.loads(mail)["note"]) == ("", "address forgotten")
