"""Style sheets in the elements that they are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.render.css import MOST_HTML, inlined_css

SHEET = """<style>p { color: red } a:hover { color: blue } @media (max-width: 9px) { p { margin: 0 } }
.x { padding: 1px }</style>"""

INLINED = [
    ("<p>b</p>", '<p style="color: red;">b</p>'),
    ('<p class="x" style="margin: 0">', '<p class="x" style="color: red;padding: 1px;margin: 0">'),
    ("<P\nclass=x>", '<P style="color: red;padding: 1px;"\nclass=x>'),
    ("<p style='color: green' >", "<p style='color: green' >"),
    ("<p style='margin: 0' >", '<p style="color: red;margin: 0" >'),
    ("<a href=x>", "<a href=x>"),
    ('<i title="&euml; <p>" class="x">', '<i style="padding: 1px;" title="&euml; <p>" class="x">'),
    ("<!--[if mso]><p><![endif]--><![if !mso]><p><![endif]>",
     '<!--[if mso]><p><![endif]--><![if !mso]><p style="color: red;"><![endif]>'),
    ("<table>{{#each x}}<tr class=x><td>{{a}}</tr>{{/each}}</table>",
     '<table>{{#each x}}<tr style="padding: 1px;" class=x><td>{{a}}</tr>{{/each}}</table>'),
    ('<a class="x" href="{{{ url }}}?a=1&b=2">', '<a style="padding: 1px;" class="x" href="{{{ url }}}?a=1&b=2">'),
    ("<b><p>x</b>y</p><i class=x>", '<b><p style="color: red;">x</b>y</p><i style="padding: 1px;" class=x>'),
    ("<i data-angarium-element=0 class=x>", '<i style="padding: 1px;" data-angarium-element=0 class=x>'),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), INLINED)
def test_rules_go_where_they_belong_and_all_else_stays(before: str, after: str) -> None:
    document = f"<html><head>{SHEET}</head><body>%s</body></html>"
    found = inlined_css((document % before).encode(), "utf-8").decode()
    assert found == document % after


@pytest.mark.parametrize("charset", ["iso8859-1", "koi8-r", "shift_jis"])
def test_letters_of_any_charset_stay(charset: str) -> None:
    word = {"iso8859-1": "é", "koi8-r": "ж", "shift_jis": "表"}[charset].encode(charset)
    html = b"<style>p{font-family:'\\e9 x'}</style>" + word + b"\xff<p>" + word
    after = inlined_css(html, charset)
    start, end = html[: -len(word) - 1], b">" + word
    assert after.startswith(start)
    assert after.endswith(end)
    after[len(start) : -len(end)].decode(charset)


UNTOUCHED = [
    "<p>no style sheet</p>",
    "<!-- <style>p{}</style> --><p>",
    '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><p>',
    "<style>p{color:red}</style>" + "<div>" * 20_000,
    "<style>p{color:red}</style><p>" + "x" * MOST_HTML,
]


@pytest.mark.parametrize("html", UNTOUCHED, ids=range(len(UNTOUCHED)))
def test_documents_that_stay_as_they_are(html: str) -> None:
    assert inlined_css(html.encode(), "utf-8") == html.encode()


def test_nothing_is_fetched(tmp_path) -> None:
    (tmp_path / "x.css").write_text("p { color: red }")
    html = f'<link rel="stylesheet" href="file://{tmp_path}/x.css"><style>b{{}}</style><p>a</p>'
    assert inlined_css(html.encode(), "utf-8") == html.encode()


@pytest.mark.parametrize(
    "css", ["p {", "}}}", "p { color: }", "@import url(http://127.0.0.1:9/x)", "\x00", "p" * 10_000]
)
def test_a_faulty_style_sheet_does_no_harm(css: str) -> None:
    html = f"<style>{css}</style><p>text</p>".encode()
    assert inlined_css(html, "utf-8").endswith(b">text</p>")


PIECES = st.sampled_from([*"<>/=\"' ", "<p", "<b class=x", "<table>", "</b>", "<!--", "é", "&amp"])


@given(st.lists(PIECES, max_size=30))
def test_without_the_styles_it_is_what_it_was(pieces: list[str]) -> None:
    html = (SHEET + "".join(pieces)).encode()
    after = inlined_css(html, "utf-8")
    for style in (b' style="color: red;"', b' style="padding: 1px;"'):
        after = after.replace(style, b"")
    assert after == html
