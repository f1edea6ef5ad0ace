"""`angarium find`, and messages called by the beginning of what names them: over a real spool, without a node."""

import asyncio
import json
import time

import msgspec
import pytest

from angarium.cli.times import read_time
from angarium.core.ids import format_id
from angarium.core.options import Options
from angarium.core.records import ForwardPath
from angarium.spool.embedded import open_partition
from angarium.testing.spool import SMALL, SpoolDriver, make_message

NOW = time.time()


def text(message_id, subject="hello"):
    return f"Message-ID: <{message_id}>\r\nSubject: {subject}\r\n\r\nhi\r\n".encode()


@pytest.fixture
def spool(tmp_path):
    """A spool with three messages: one delivered, one put off, one waiting for three recipients."""

    async def day():
        partition = open_partition(tmp_path / "spool/0", asyncio.get_running_loop(), SMALL)
        partition.recover()
        driver = SpoolDriver(partition)
        first = make_message("a.example", received_at=NOW - 7300)
        second = msgspec.structs.replace(
            make_message(received_at=NOW - 3700),
            recipients=(ForwardPath(address="r0@bücher.example", domain="xn--bcher-kva.example"),),
            options=Options(tags=("welcome",)),
            login='login 7 "newsletter"',
        )
        third = make_message("c.example", "d.example", "e.example", received_at=NOW - 200)
        (done,) = await driver.take(first, text("one@x.example", "\x1b[2J"))
        await driver.tell(done, "delivered")
        (later,) = await driver.take(second, text("two.1@x.example"))
        await driver.tell(later, "queued", due_at=NOW + 1000)
        await driver.take(third, text("two.2@x.example"))
        await partition.close()
        return [format_id(each.id) for each in (first, second, third)]

    return asyncio.run(day())


def test_a_listing_says_who_what_and_what_became_of_it(cli, spool):
    result = cli("find", "from@example.org")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["RECEIVED", "MESSAGE", "SENDER", "RECIPIENT", "STATE"]
    rows = [line.split()[-1] for line in lines if any(each in line for each in spool)]
    assert rows == ["queued", "queued", "delivered"]
    assert any("r0@c.example and 2 more" in line for line in lines)
    assert "    subject: \\x1b[2J" in lines
    assert "    tags: welcome" in lines
    assert '    by login 7 "newsletter"' in lines
    assert any(line.startswith("    next try ") and line.endswith(")") for line in lines)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (["--recipient", "bücher.example"], 1),
        (["--recipient", "r0@xn--bcher-kva.example"], 1),
        (["--tag", "welcome"], 1),
        (["--login", "newsletter"], 1),
        (["--message-id", "<two.2@x.example>"], 2),
        (["two.2"], 2),
        (["--sender", "example.org", "--until", "2h"], 0),
        (["--since", "50min"], 2),
    ],
)
def test_as_json_each_question_has_its_answer(cli, spool, words, number):
    answer = json.loads(cli("find", *words, "--json").stdout)
    assert [row["message"] for row in answer["rows"]] == [spool[number]]
    assert answer["rows"][0]["received_at"].endswith("Z")
    assert (answer["next"], answer["complete_since"], answer["problems"]) == (None, None, [])


def test_more_than_the_limit_is_said_with_how_to_go_on(cli, spool):
    first = cli("find", "--sender", "from", "--limit", "2")
    assert f"There are more; --before {spool[1]} lists older ones" in first.stdout
    second = json.loads(cli("find", "--sender", "from", "--before", spool[1], "--json").stdout)
    assert [row["message"] for row in second["rows"]] == [spool[0]]


def test_nothing_found_is_exit_code_1(cli, spool):
    result = cli("find", "nobody@x.example")
    assert (result.exit_code, result.stdout) == (1, "Nothing was found.\n")
    assert json.loads(cli("find", "nobody@x.example", "--json").stdout)["rows"] == []


def test_a_question_without_a_word_and_a_time_that_is_none_are_wrong_usage(cli, spool):
    assert "say what to look for" in cli("find").stderr
    assert "'soon' is no time; write 2h" in cli("find", "--since", "soon").stderr
    assert cli("find", "--id", "xyz").stderr == (
        "angarium: 'xyz' is not the beginning of a message id: 4 to 32 of the digits 0-9a-f\n"
    )


def test_a_folder_without_mail_is_told(cli, tmp_path):
    assert cli("find", "x").stderr == f"angarium: there is no spool partition in {tmp_path}\n"


def asked_for(control):
    """Return the id of the message that the node was asked for."""
    (args,) = [args for op, args in control.asked if op == "message"]
    return args["id"]


@pytest.mark.parametrize(
    "called",
    [lambda id_: id_[:14], lambda id_: id_[:8] + "-" + id_[8:15].upper(), lambda id_: "<two.1@x.example>"],
)
def test_a_message_is_called_by_the_beginning_of_its_id_or_of_its_message_id(cli, control, spool, called):
    control.says["node"] = {}
    control.says["message"] = {"message": {"id": spool[1]}}
    assert cli("message", called(spool[1])).exit_code == 0
    assert asked_for(control) == spool[1]


def test_what_changes_mail_takes_the_same_names(cli, control, spool):
    control.says["node"] = {}
    control.says["count"] = {"waiting": 1}
    assert cli("hold", "--message", "two.1", "--dry-run").stdout == "1 recipient would be held\n"
    assert control.asked[-1][1]["selection"]["message"] == spool[1]
    assert "2 messages begin with 'two'" in cli("fail", "--message", "two", "--yes").stderr
    assert "act" not in [op for op, _ in control.asked]


def test_a_whole_id_is_asked_for_without_a_look_into_the_spool(cli, control):
    control.says["message"] = {"message": {"id": "0" * 32}}
    assert cli("message", "0" * 32).exit_code == 0
    assert [op for op, _ in control.asked if op != "node"] == ["message"]


def test_when_several_fit_they_are_named_and_none_is_shown(cli, control, spool):
    control.says["node"] = {}
    result = cli("message", "two")
    assert (result.exit_code, result.stdout) == (1, "")
    first, *candidates = result.stderr.splitlines()
    assert first == "angarium: 2 messages begin with 'two'; write more of one:"
    assert [line.split()[0] for line in candidates] == [spool[2], spool[1]]
    assert candidates[0].endswith("<from@example.org> to <r0@c.example> and 2 more")
    assert {op for op, _ in control.asked} == {"node"}


def test_a_message_is_called_by_its_recipient_too(cli, control, spool):
    control.says["message"] = {"message": {"id": spool[1]}}
    cli("message", "r0@c.example")
    assert asked_for(control) in spool


def test_when_none_fits_it_is_told(cli, control, spool):
    control.says["node"] = {}
    result = cli("message", "three@x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "angarium: no message is known whose id or Message-ID begins with 'three@x'"
    )


NOON = 1_700_049_600.0  # 2023-11-15 12:00:00 UTC


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOON - 90),
        ("10min", NOON - 600),
        ("2h", NOON - 7200),
        ("1 d", NOON - 86_400),
        ("11:30", NOON - 1800),
        ("00:00:01", NOON - 43_199),
        ("today", NOON - 43_200),
        ("yesterday", NOON - 129_600),
        ("2023-11-14", NOON - 129_600),
        ("2023-11-15T12:00", NOON),
        ("2023-11-15T12:00:00+01:00", NOON - 3600),
        ("2023-11-15T12:00:00Z", NOON),
    ],
)
def test_times_of_the_past(text, at):
    assert read_time(text, NOON) == at


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2023-13-01", "-2h"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match="no time"):
        read_time(text, NOON)
