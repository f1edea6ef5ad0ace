"""`angarium docs`: finding in the documentation, reading it, writing it as a site."""

import json

from click.testing import CliRunner

from angarium.cli.docs import filled
from angarium.cli.main import main
from angarium.documentation.extract import ExtractPiece


def run(*words):
    return CliRunner().invoke(main, ["docs", *map(str, words)])


def test_what_is_found_has_title_heading_address_and_an_extract():
    done = run("search", "Retry_Interval AND doubl*", "kind:guide")
    assert done.exit_code == 0
    assert "The queue › Retry and expiry\nqueue.html#retry-and-expiry\n" in done.output


def test_what_is_found_for_programs():
    done = run("search", "--json", "--limit", "1", "kind:option AND Bounce_Domain")
    answer = json.loads(done.output)
    assert answer["count"] >= 1
    assert answer["found"][0]["page"] == "options/Bounce_Domain"


def test_nothing_found_and_a_wrong_query():
    assert run("search", "xyzzy_no_such_word").exit_code == 1
    done = run("search", "red^4")
    assert done.exit_code != 0
    assert done.output.endswith("red^4\n   ^\n")


def test_a_page_by_its_name_and_by_what_it_is_about():
    assert run("show", "queue").output.startswith("The queue\n")
    assert "default: 1200" in run("show", "retry_interval").output
    assert "docs search nosuch" in run("show", "nosuch").output


def test_a_site(tmp_path):
    done = run("build", tmp_path / "site")
    assert done.exit_code == 0
    assert "<h1>Angarium documentation</h1>" in (tmp_path / "site/index.html").read_text()
    assert (tmp_path / "site/options/Gateway.html").is_file()
    assert (tmp_path / "site/search-data.js").read_text().startswith("window.documentation = {")


def test_an_extract_is_broken_between_words_and_what_was_asked_for_is_bright():
    pieces = [ExtractPiece("one two ", False), ExtractPiece("three", True), ExtractPiece(" four", False)]
    (first, second) = filled(pieces, 18)
    assert "".join(piece.text for piece in first) == "    one two three"
    assert first[-1].tone == "bright"
    assert "".join(piece.text for piece in second) == "    four"
