"""Templates, snippets and lists at the command line: from files into the store, and back."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from angarium.cli.main import main


class Shell:
    """Runs commands over a store of its own."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def __call__(self, *words: str, code: int = 0, **given: Any) -> Result:
        result = CliRunner().invoke(main, [*words, "--data", str(self._data)], **given)
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)


@pytest.fixture
def shell(quick_path: Path) -> Shell:
    shell = Shell(quick_path / "data")
    shell("init", "--json")
    return shell


def test_templates_are_saved_published_and_shown(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>{{name}}")
    shell("templates", "save", "welcome", "--subject", "Hi {{name}}", "--html", str(tmp_path / "a.html"))
    assert shell.json("templates", "show", "welcome")["content"]["subject"] == "Hi {{name}}"
    (tmp_path / "data.json").write_text('{"name": "Ann"}')
    preview = shell("templates", "preview", "welcome", "--draft", "--values", str(tmp_path / "data.json"))
    assert preview.stdout == "Subject: Hi Ann\n-- html --\n<p>Ann\n"
    assert shell("templates", "publish", "welcome").stdout == "template welcome published: version 1\n"
    (row,) = shell.json("templates", "list")
    assert (row["alias"], row["published"], row["draft"]) == ("welcome", 1, None)
    wrong = shell("templates", "save", "welcome", "--subject", "{{#a}}", code=1)
    assert "subject: line 1, column 1: this block is never closed" in wrong.output
    shell("templates", "delete", "welcome", "--yes")
    assert shell.json("templates", "list") == []


def test_what_is_pulled_is_pushed_again(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "frame.html").write_text("<b>{{{ @content }}}</b>")
    (tmp_path / "a.html").write_text("<p>{{name}}\r\n")
    shell(
        "templates",
        "save",
        "z-frame",
        "--kind",
        "layout",
        "--html",
        str(tmp_path / "frame.html"),
        "--publish",
    )
    shell("templates", "save", "a", "--html", str(tmp_path / "a.html"), "--layout", "z-frame", "--publish")
    before = [shell.json("templates", "show", name)["content"] for name in ("a", "z-frame")]
    folder = str(tmp_path / "kept")
    assert "2 templates written" in shell("templates", "pull", folder).stdout
    for name in ("a", "z-frame"):
        shell("templates", "delete", name, "--yes")
    assert (
        shell("templates", "push", folder, "--dry-run").stdout
        == "z-frame would be created\na would be created\n"
    )
    assert shell("templates", "push", folder).stdout == "z-frame created\na created\n"
    after = [shell.json("templates", "show", name)["content"] for name in ("a", "z-frame")]
    after[0]["layout"] = before[0]["layout"]  # another id
    assert after == before
    assert shell("templates", "push", folder).stdout == "z-frame changed\na changed\n"
    assert [row["published"] for row in shell.json("templates", "list")] == [1, 1]  # nothing had changed


def test_snippets(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "f.html").write_text("<hr>\n")
    shell("snippets", "save", "footer", "--html", str(tmp_path / "f.html"))
    assert shell("snippets", "show", "footer").stdout == "-- html --\n<hr>\n"
    shell("snippets", "save", "footer", "--name", "Foot")
    assert [each["name"] for each in shell.json("snippets", "list")] == ["Foot"]
    shell("snippets", "delete", "footer", "--yes")


def test_lists_come_from_files_and_go_into_files(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "news.csv"
    file.write_text(
        "email,name,city\nann@example.com,Ann,Ulm\nbad\nANN@example.com,A,B\nbob@example.com,Bob,Bonn\n"
    )
    shell("lists", "create", "news")
    tried = shell("lists", "import", "news", str(file), "--dry-run", code=1)
    assert "line 3: address: 'bad' is no address" in tried.output
    assert "2 recipients would be in the file, 1 duplicate left out, 1 row wrong" in tried.output
    assert shell.json("lists", "list")[0]["count"] == 0
    shell("lists", "import", "news", str(file), code=1)
    kept = shell("lists", "export", "news").stdout
    assert kept.splitlines()[1:] == [
        'ann@example.com,Ann,,,,"{""city"":""Ulm""}"',
        'bob@example.com,Bob,,,,"{""city"":""Bonn""}"',
    ]
    shell("lists", "import", "news", "-", input=kept)
    assert shell("lists", "export", "news").stdout == kept
    shell(
        "lists",
        "import",
        "news",
        "-",
        "--append",
        "--format",
        "jsonl",
        input='{"address":"cy@example.com"}\n',
    )
    assert shell.json("lists", "show", "news")["count"] == 3
    assert shell.json("lists", "show", "news", "--address", "CY@example.com") == [
        {"address": "cy@example.com"}
    ]
    shell("lists", "show", "news", "--address", "no@example.com", code=1)
    shell("lists", "delete", "news", "--yes")
    assert shell.json("lists", "list") == []
