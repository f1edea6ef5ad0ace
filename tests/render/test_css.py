"""Style sheets in the elements that they are about."""

import pytest

from angarium.render.css import MOST_HTML, inlined_css

DOCUMENT = """<html><head><style>p { color: red } a:hover { color: blue } @media (max-width: 9px) { p { margin: 0 } }
.x { padding: 1px }</style></head><body><p class="x" style="color: green">a</p><p>b</p></body></html>"""


def test_rules_go_where_they_belong_and_what_only_a_sheet_can_say_stays() -> None:
    after = inlined_css(DOCUMENT)
    assert "<p>b</p>" not in after
    assert '<p style="color: red;">b</p>' in after
    assert "color: green" in after
    assert "padding: 1px" in after.split("<body>")[1]
    head = after.split("<body>")[0]
    assert "@media" in head
    assert "a:hover" in head
    assert ".x" not in head


UNTOUCHED = [
    "<p>no style sheet</p>",
    "<!-- <style>p{}</style> --><p>",
    '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><p>',
    "<style>p{color:red}</style>" + "<div>" * 20_000,
    "<style>p{color:red}</style><p>" + "x" * MOST_HTML,
]


@pytest.mark.parametrize("html", UNTOUCHED, ids=range(len(UNTOUCHED)))
def test_documents_that_stay_as_they_are(html: str) -> None:
    assert inlined_css(html) == html


def test_nothing_is_fetched(tmp_path) -> None:
    (tmp_path / "x.css").write_text("p { color: red }")
    html = f'<link rel="stylesheet" href="file://{tmp_path}/x.css"><style>b{{}}</style><p>a</p>'
    assert "red" not in inlined_css(html)


@pytest.mark.parametrize(
    "css", ["p {", "}}}", "p { color: }", "@import url(http://127.0.0.1:9/x)", "\x00", "p" * 10_000]
)
def test_a_faulty_style_sheet_does_no_harm(css: str) -> None:
    assert "text" in inlined_css(f"<style>{css}</style><p>text</p>")
