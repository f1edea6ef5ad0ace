"""Who must not get mail, from the command line, with no node running."""

import json

import pytest

from angarium.cli.main import main


@pytest.fixture
def run(cli):
    """Run a command; returns its exit code and its JSON."""
    assert cli("init", "--json").exit_code == 0

    def ask(*arguments):
        result = cli("suppressions", *arguments, "--json")
        assert result.exit_code in (0, 1), result.output
        return result.exit_code, json.loads(result.stdout) if result.stdout else None

    return ask


def listed(run, *options):
    return [cause["what"] for cause in run("list", *options)[1]]


def test_every_command_takes_json_and_explains_itself(cli):
    for name in main.get_command(None, "suppressions").commands:
        text = cli("suppressions", name, "--help", data=False).stdout
        assert "--json" in text
        assert len(text.splitlines()[2].strip()) > 10


def test_an_address_is_put_on_the_list_shown_removed_and_put_back(run):
    assert run("add", "Ann@Example.COM", "bob@x.example", "--note", "by phone")[1] == {
        "ids": [1, 2],
        "known": 0,
    }
    assert run("add", "ann@example.com")[1] == {"ids": [], "known": 1}
    code, shown = run("show", "ANN@example.com")
    assert (code, shown["suppressed"]) == (0, True)
    assert (shown["causes"][0]["reason"], shown["causes"][0]["note"]) == ("manual", "by phone")
    assert run("remove", "ann@example.com") == (0, {"lifted": 1})
    assert run("remove", "ann@example.com") == (1, {"lifted": 0})
    code, shown = run("show", "ann@example.com")
    assert (code, shown["suppressed"], len(shown["causes"])) == (1, False, 2)
    assert listed(run) == ["bob@x.example"]
    assert run("undo", "--removals", "--address", "ann@example.com") == (0, {"undone": 1})
    assert listed(run) == ["ann@example.com", "bob@x.example"]


def test_a_stream_a_kind_of_mail_and_the_node_have_lists_of_their_own(run):
    run("add", "s@x.example", "--stream", "broadcast")
    run("add", "k@x.example", "--mail", "transactional")
    run("add", "*.spam.example", "--node")
    run("add", "a@x.example")
    assert listed(run, "--stream", "broadcast") == ["s@x.example"]
    assert listed(run, "--mail", "transactional") == ["k@x.example"]
    assert listed(run, "--node") == ["*.spam.example"]
    assert [cause["reason"] for cause in run("list", "--node")[1]] == ["compliance"]
    assert [cause["what"] for cause in run("search", "x.ex", "--limit", "2")[1]] == [
        "s@x.example",
        "k@x.example",
    ]


def test_a_file_is_brought_in_taken_out_and_undone_as_one(run, cli, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text(
        "email,reason\n" + "".join(f"a{n}@x.example,complaint\n" for n in range(1_200)) + "wrong,\n"
    )
    tried = run("import", str(file), "--dry-run", "--run", "r0")
    assert tried == (1, {"added": 1200, "known": 0, "wrong": 1, "run": "r0"})
    assert listed(run) == []
    assert run("import", str(file), "--run", "r1") == (
        1,
        {"added": 1200, "known": 0, "wrong": 1, "run": "r1"},
    )
    assert run("import", str(file), "--run", "r2")[1] == {"added": 0, "known": 1200, "wrong": 1, "run": "r2"}
    result = cli("suppressions", "import", str(file), "--run", "r3")
    assert "line 1202: address: 'wrong' is no address" in result.stderr
    exported = cli("suppressions", "export").stdout.splitlines()
    assert len(exported) == 1_201
    assert exported[1].startswith("a0@x.example,complaint,*,")
    assert run("undo", "--run", "r1", "--dry-run") == (0, {"would_undo": 1200})
    assert run("undo", "--run", "r1") == (0, {"undone": 1200})
    assert listed(run) == []


def test_what_is_meant_has_to_be_said(run, cli):
    assert "say which" in cli("suppressions", "undo").output
    assert "is no address" in cli("suppressions", "add", "ann lee@x.example").output
    assert "leave --account" in cli("suppressions", "add", "a@x.example", "--node", "--account", "1").output
