"""What an HTML document says, as plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.render.html.text import text_of

SAID = [
    ("<p>One\n two</p><p>three</p>", "One two\n\nthree\n"),
    ("<h1>Title</h1>text<br>line<br/>line", "Title\n\ntext\nline\nline\n"),
    ("a<div>b<div>c</div></div>d", "a\nb\nc\nd\n"),
    ("<table><tr><td>a</td><td>b</td></tr><tr><td>c", "a b\nc\n"),
    ("<ul><li>one<li>two</ul><ol><li>x</li><li>y</li></ol>z", "- one\n- two\n\n1. x\n2. y\n\nz\n"),
    ("a<hr>b", "a\n" + "-" * 40 + "\nb\n"),
    ("<b>bo</b>ld <i> it</i>", "bold it\n"),
    ("&lt;a&gt; &euml;&nbsp; &amp;amp; &copy", "<a> ë &amp; ©\n"),
    ("<pre>a\n  b</pre>c", "a\n  b\n\nc\n"),
    ('see <a href="http://a.test/?x=1&amp;y=2">the shop</a>.', "see the shop <http://a.test/?x=1&y=2>.\n"),
    ('<a href="https://www.a.test/">a.test</a>', "a.test\n"),
    ('<a href="http://a.test"><img alt="Our &quot;shop&quot;" src=x></a>', 'Our "shop" <http://a.test>\n'),
    ('<a href="http://a.test"><img src=x></a>', "http://a.test\n"),
    ('<a href="http://a.test"><table><tr><td>Buy</table></a>', "Buy\n<http://a.test>\n"),
    ('<a href="http://a.test">x<a href="http://b.test">y', "x <http://a.test>y\n"),
    ('<a href="mailto:a@b.test">a@b.test</a> <a href="mailto:c@b.test">write</a>',
     "a@b.test write <mailto:c@b.test>\n"),
    ('<a href="#top">top</a> <a name=x>y</a> <a href="/page">z</a>', "top y z\n"),
    ('<a href="{{{ pm:unsubscribe }}}">Out</a>', "Out <{{{ pm:unsubscribe }}}>\n"),
    ("<head><title>T</title><style>p{}</style></head><body>b<script>x</script>", "b\n"),
    ("<title>T</title><style>p{}</style>b", "b\n"),
    ("<head><meta charset=x><body>b", "b\n"),
    ("a<!-- <p>x</p> --><!--[if mso]>m<![endif]-->b<![endif]>", "ab\n"),
    ('<div style="Color:red; display : none">x<div>y</div>z</div>b<p hidden>q</p>c', "bc\n"),
    ('<img alt=shown><img alt=x style="display:none">', "shownx\n"),
    ("a<p title='x", "a\n"),
    ("a < b", "a < b\n"),
    ("", ""),
    ("<p> &nbsp; </p>", ""),
]  # fmt: skip


@pytest.mark.parametrize(("html", "text"), SAID)
def test_what_it_says(html: str, text: str) -> None:
    assert text_of(html.encode(), "utf-8") == text


def test_letters_are_those_of_the_charset() -> None:
    assert text_of("<p title='é'>é".encode("latin-1"), "iso8859-1") == "é\n"


WORDS = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<a href=http://a.test>",
        "</a>",
        "<li>",
        "<ol>",
        "</ol>",
        "<pre>",
        "<div hidden>",
        "</div>",
    ]
)
ODD = st.sampled_from(
    ["<br>", "<!--", "-->", "<style>", "</style>", "<", ">", "x", "é", "&amp;", "<td>", "<head>"]
)


@given(st.lists(WORDS | ODD, max_size=40))
def test_whatever_comes_it_is_text(pieces: list[str]) -> None:
    text = text_of("".join(pieces).encode(), "utf-8")
    assert text == "" or (text.endswith("\n") and text.strip())
    assert "\n\n\n" not in text or "<pre>" in pieces
