"""Tags, attributes and links of HTML that is right, wrong, and hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.render.html.depth import html_depth
from angarium.render.html.links import (
    Splice,
    after_body_tag,
    html_links,
    is_web_target,
    place_of_pixel,
    spliced,
    text_links,
)
from angarium.render.html.references import unescaped
from angarium.render.html.tags import attributes, html_tags


def shown(html: bytes) -> list[bytes]:
    return [html[tag.start : tag.end] for tag in html_tags(html)]


def links(html: str) -> list[str]:
    return [link.target for link in html_links(html.encode(), "utf-8")]


TAGS = [
    (b"<p>a<br/>b</p>", [b"<p>", b"<br/>", b"</p>"]),
    (b"<a\n href = 'x'\n>", [b"<a\n href = 'x'\n>"]),
    (b'<p title=">">', [b'<p title=">">']),
    (b"<p title=it's>x</p>", [b"<p title=it's>", b"</p>"]),
    (b'<p a"b>x</p>', [b'<p a"b>', b"</p>"]),
    (b"1 < 2 <3> <-- <>", []),
    (b"<!-- <a> --><b>", [b"<b>"]),
    (b"<!--><b><!---><i><!-- x --!><u>", [b"<b>", b"<i>", b"<u>"]),
    (b"<!-- <a> <b>", []),
    (b"<!--[if mso]><v:rect href='x'><![endif]--><b>", [b"<b>"]),
    (b"<![if !mso]><a><![endif]>", [b"<a>"]),
    (b"<!DOCTYPE html><?xml a?></ x><b>", [b"<b>"]),
    (b"<script>if (a<b) '</a>'</script><b>", [b"<script>", b"</script>", b"<b>"]),
    (b"<style x='>'>a{}</styles></STYLE\n><b>", [b"<style x='>'>", b"</STYLE\n>", b"<b>"]),
    (b"<title><b></title>", [b"<title>", b"</title>"]),
    (b"<textarea><b>", [b"<textarea>"]),
    (b'<b><a href="x><i>', [b"<b>"]),
    (b"<b><a ", [b"<b>"]),
]


@pytest.mark.parametrize(("html", "tags"), TAGS)
def test_where_tags_are(html: bytes, tags: list[bytes]) -> None:
    assert shown(html) == tags


ATTRIBUTES = [
    (b"<a x=1 Y='2' z=\"3\" w>", [(b"x", b"1"), (b"y", b"2"), (b"z", b"3"), (b"w", None)]),
    (b"<a x = 1/x y=>", [(b"x", b"1/x"), (b"y", b"")]),
    (b"<a x='' x=2 =3 / y>", [(b"x", b""), (b"=3", None), (b"y", None)]),
    (b"<a href=a?b=c&d='e'>", [(b"href", b"a?b=c&d='e'")]),
]


@pytest.mark.parametrize(("html", "expected"), ATTRIBUTES)
def test_attributes(html: bytes, expected: list[tuple[bytes, bytes | None]]) -> None:
    (tag,) = html_tags(html)
    assert [(each.name, each.value) for each in attributes(html, tag.name_end, tag.end)] == expected


LINKS = [
    ('<a href="https://x.test/?a=1&amp;b=2">', ["https://x.test/?a=1&b=2"]),
    ("<A\n\tHREF\n=\n' http://x.test/é ' \n>", ["http://x.test/é"]),
    ("<a href=http://x.test/f[0]=1%20&copy=2#frag>", ["http://x.test/f[0]=1%20&copy=2#frag"]),
    ('<area href="HTTP://X.test">', ["HTTP://X.test"]),
    ('<a title="href=\'http://no.test\'" href="http://yes.test">', ["http://yes.test"]),
    ('<a data-href="http://no.test">', []),
    ('<a href="http://1.test" href="http://2.test">', ["http://1.test"]),
    ('<a href="mailto:a@x.test"><a href="#top"><a href="/rel"><a href="tel:1"><a href="javascript:x">', []),
    ('<a href="http://"><a href="http:///x"><a href="https:x.test"><a href>', []),
    ('<link href="http://x.test"><img src="http://x.test">http://x.test', []),
    ('<!--[if mso]><a href="http://x.test"><![endif]--><style>a{b:"<a href=http://x.test>"}</style>', []),
]


@pytest.mark.parametrize(("html", "expected"), LINKS)
def test_links(html: str, expected: list[str]) -> None:
    assert links(html) == expected


def test_a_link_knows_what_else_its_tag_says() -> None:
    (link,) = html_links(b'<a data-pm-no-track data-msys-linkname="b" href=http://x.test>', "utf-8")
    assert link.attributes == {"data-pm-no-track": None, "data-msys-linkname": "b"}


def test_bytes_that_the_charset_does_not_know_come_back() -> None:
    html = b"<a href='http://x.test/\xff'>"
    (link,) = html_links(html, "utf-8")
    assert link.target.encode("utf-8", "surrogateescape") == b"http://x.test/\xff"
    assert html[link.start : link.end] == b"http://x.test/\xff"


REFERENCES = [
    ("a&amp;b", "a&b"),
    ("a&ampb=1", "a&ampb=1"),
    ("a&amp=1", "a&amp=1"),
    ("a&amp", "a&"),
    ("a&copy=1&copy;&copy.", "a&copy=1©©."),
    ("&#38;&#x26;&#38", "&&&"),
    ("&amp;amp;", "&amp;"),
    ("&nosuch;&", "&nosuch;&"),
]


@pytest.mark.parametrize(("value", "meaning"), REFERENCES)
def test_references_in_an_attribute(value: str, meaning: str) -> None:
    assert unescaped(value) == meaning


TEXT_LINKS = [
    ("See http://x.test/a. And (https://y.test/b(c)), <http://z.test>!", ["http://x.test/a", "https://y.test/b(c)", "http://z.test"]),
    ("HTTP://x.test/?a=b&c=[d]", ["HTTP://x.test/?a=b&c=[d]"]),
    ("http://x.test/???", ["http://x.test/"]),
    ("ftp://x.test www.x.test http:// http://. mailto:a@x.test", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXT_LINKS)
def test_links_of_a_text(text: str, expected: list[str]) -> None:
    found = list(text_links(text))
    assert [link.target for link in found] == expected
    assert [text[link.start : link.end] for link in found] == expected


SCRAPS = st.sampled_from(
    [*b"< > <a </a href= \" ' http://x.test/ <!-- --> --!> <script> </script> <style = / &amp; \xff <body> </body>"
    b" </html> ! - x".split(b" "), b" "]
)  # fmt: skip


@given(st.lists(SCRAPS, max_size=40))
def test_links_put_in_place_of_themselves_change_nothing(scraps: list[bytes]) -> None:
    html = b"".join(scraps)
    found = list(html_links(html, "latin-1"))
    assert (
        spliced(html, [Splice(link.start, link.end, html[link.start : link.end]) for link in found]) == html
    )
    rewritten = spliced(html, [Splice(link.start, link.end, b"http://t.test/c") for link in found])
    assert [link.target for link in html_links(rewritten, "latin-1")] == ["http://t.test/c"] * len(found)


@given(st.lists(SCRAPS, max_size=40))
def test_tags_are_in_order_and_within(scraps: list[bytes]) -> None:
    html, end = b"".join(scraps), 0
    for tag in html_tags(html):
        assert end <= tag.start < tag.name_end < tag.end <= len(html)
        assert (html[tag.start : tag.start + 1], html[tag.end - 1 : tag.end]) == (b"<", b">")
        end = tag.end


PIXELS = [
    (b"<html><body>x</body></html>", b"<html><body>x|</body></html>"),
    (b"<body>x</body><!-- </body> -->", b"<body>x|</body><!-- </body> -->"),
    (b"<body></body>x</body>", b"<body></body>x|</body>"),
    (b"<html>x</html>\n", b"<html>x|</html>\n"),
    (b"<p>x</p>", b"<p>x</p>|"),
]


@pytest.mark.parametrize(("html", "placed"), PIXELS)
def test_the_place_of_a_pixel(html: bytes, placed: bytes) -> None:
    at = place_of_pixel(html)
    assert html[:at] + b"|" + html[at:] == placed


def test_the_place_of_a_pixel_at_the_top() -> None:
    assert after_body_tag(b"<html><body class='x'>y</body>") == 22
    assert after_body_tag(b"<p>x</p></body>") is None


DEPTHS = [
    (b"<div><div></div></div>", 2),
    (b"<br>" * 600 + b"<img>" * 600, 0),
    (b"<p>x" * 600 + b"<li>y" * 600, 2),
    (b"<div>" * 600, 501),
    (b"<p><font></p>" * 600, 501),
    (b"<font>x</font>" * 600, 1),
    (b"<!--" + b"<div>" * 600, 0),
    (b"</div>" * 600 + b"<div>", 1),
]


@pytest.mark.parametrize(("html", "depth"), DEPTHS)
def test_how_deep_elements_stand(html: bytes, depth: int) -> None:
    assert html_depth(html) == depth


def test_what_is_no_web_target() -> None:
    assert not any(
        map(is_web_target, ("", "http:", "//x.test", "\\http://x", "http://\\x", "http://?", "xhttp://x"))
    )
