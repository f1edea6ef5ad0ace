"""Templates in files, tried from the command line."""

import json

import pytest
from click.testing import CliRunner

from angarium.cli.main import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **given: CliRunner().invoke(main, ["templates", *arguments], **given)


def test_a_template_is_rendered_with_data(run, tmp_path):
    (tmp_path / "mail.html").write_text("<p>{{name}}</p>\n")
    (tmp_path / "ann.json").write_text('{"name": "<Ann>"}')
    assert run("render", "mail.html", "--data", "ann.json").output == "<p>&lt;Ann&gt;</p>\n"
    assert run("render", "mail.html", "--data", "ann.json", "--as", "text").output == "<p><Ann></p>\n"


@pytest.mark.parametrize(
    ("language", "template", "rendered"),
    [("substitution", "{{ name or 'you' }}", "you"), ("smarty", "{$name|default:'you'|toupper}", "YOU")],
)
def test_each_language(run, language, template, rendered):
    assert run("render", "-", "--language", language, input=template).output == f"{rendered}\n"


def test_what_is_wrong_is_told_with_its_place(run, tmp_path):
    (tmp_path / "mail.txt").write_text("Hello {{#name}}\n{{a b}}")
    result = run("check", "mail.txt")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "angarium: mail.txt: line 1, column 7: this block is never closed: write {{/name}}",
        "mail.txt: line 2, column 1: 'a b' is no path: write names with dots between, such as {{person.name}}, and ../"
        " for what is around",
    ]
    found = json.loads(run("check", "mail.txt", "--json").output)
    assert [(problem["line"], problem["column"]) for problem in found["problems"]] == [(1, 7), (2, 1)]


def test_a_check_says_which_values_a_template_asks_for(run, tmp_path):
    (tmp_path / "mail.txt").write_text("{{#each orders}}{{id}}{{/each}}")
    assert run("check", "mail.txt").output == "no problems\n"
    found = json.loads(run("check", "mail.txt", "--json").output)
    assert found == {"problems": [], "warnings": [], "suggested_model": {"orders": [{"id": "id_Value"}]}}


def test_what_does_no_harm_is_told_beside(run):
    result = run("render", "-", "--language", "smarty", input="{'a'|lower}{$x|lowr}")
    assert "there is no modifier 'lowr', and it does nothing: did you mean lower?" in result.stderr


def test_a_recipient_whose_data_breaks_a_template(run, tmp_path):
    (tmp_path / "d.json").write_text('{"orders": "none"}')
    result = run("render", "-", "--data", "d.json", input="{{#each orders}}{{/each}}")
    assert result.exit_code == 1
    assert "each goes over a list, and orders is none in the data" in result.output
    assert "name is not in the data" in run("render", "-", "--strict", input="{{name}}").output


@pytest.mark.parametrize(
    ("data", "told"),
    [("[1]", "has to hold an object"), ("{", "is no JSON"), (None, "cannot be read: no such file")],
)
def test_data_that_is_none(run, tmp_path, data, told):
    if data is not None:
        (tmp_path / "d.json").write_text(data)
    result = run("render", "-", "--data", "d.json", input="x")
    assert (result.exit_code, told in result.output) == (1, True)
