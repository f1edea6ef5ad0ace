"""The addresses of openings and clicks, and where they are put."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.ids import MessageId
from angarium.render.html.links import html_links
from angarium.render.tracking.addresses import SignedTrackingAddresses, Tracked, TrackedKind
from angarium.render.tracking.links import LinkRules, TrackedLink, marked_targets, tracked_html, tracked_text

KEY, OLD_KEY = b"k" * 32, b"o" * 32
MESSAGE = MessageId(bytes(range(16)))
ADDRESSES = SignedTrackingAddresses(lambda: [KEY])
CLICK = Tracked("click", MESSAGE, 7, 3, b"https://shop.test/a%20b?x=1&y=[0]#f")


def test_a_click_says_where_it_goes() -> None:
    path = ADDRESSES.path(CLICK)
    assert (
        path
        == "/t/cAAECAwQFBgcICQoLDA0ODwAABwAD"
        + path[32:44]
        + "/s%3Ashop.test%2Fa%2520b%3Fx%3D1%26y%3D%5B0%5D%23f"
    )
    assert ADDRESSES.read(path) == CLICK


@given(
    st.sampled_from(["open", "initial_open", "click", "unsubscribe", "link_unsubscribe"]),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**16 - 1),
    st.binary(max_size=60),
    st.binary(max_size=63),
    st.sampled_from(["", "app", "a.b_c~d-1", "c" + "A" * 40]),
)
def test_what_is_written_is_read(
    kind: TrackedKind, message: bytes, index: int, link: int, target: bytes, name: bytes, sublink: str
) -> None:
    target, name = (target, name) if kind in ("click", "link_unsubscribe") else (b"", b"")
    tracked = Tracked(kind, MessageId(message), index, link, target, name)
    path = ADDRESSES.path(tracked, sublink)
    assert path.isascii()
    assert ADDRESSES.read(path) == tracked


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_no_character_can_be_changed(at: int, char: str) -> None:
    path = ADDRESSES.path(CLICK)
    at %= len(path)
    changed = path[:at] + char + path[at + 1 :]
    assert ADDRESSES.read(changed) in (None, CLICK)
    if unquote(changed, "latin-1") != unquote(path, "latin-1"):
        assert ADDRESSES.read(changed) is None


def test_a_name_is_signed_too() -> None:
    named = ADDRESSES.path(Tracked("click", MESSAGE, 7, 3, b"https://shop.test", b"banner"))
    assert named.endswith("/s%3Ashop.test/banner")
    for changed in (
        named.replace("banner", "other"),
        named.removesuffix("/banner"),
        named.removesuffix("banner"),
    ):
        assert ADDRESSES.read(changed) is None


def test_another_target_is_not_gone_to() -> None:
    path = ADDRESSES.path(CLICK)
    assert ADDRESSES.read(path.replace("shop.test", "evil.test")) is None
    assert ADDRESSES.read(path[:44] + "/s%3Aevil.test") is None
    assert ADDRESSES.read("/t/u" + path[4:44]) is None


FOREIGN = [
    "",
    "/",
    "/t/",
    "/t/c",
    "/t/zAAAA",
    "/t/o" + "A" * 40,
    "/t/o" + "A" * 39,
    "/x/o" + "A" * 40,
    "/t/o" + "é" * 40,
]


@pytest.mark.parametrize("path", FOREIGN)
def test_what_this_node_has_not_made(path: str) -> None:
    assert ADDRESSES.read(path) is None


def test_keys_rotate() -> None:
    path = SignedTrackingAddresses(lambda: [OLD_KEY]).path(CLICK)
    assert SignedTrackingAddresses(lambda: [KEY, OLD_KEY]).read(path) == CLICK
    assert SignedTrackingAddresses(lambda: [KEY]).read(path) is None


def address(link: TrackedLink) -> str:
    marks = (
        "u" if link.is_way_out else "",
        link.name and f":{link.name}",
        link.sublink and f"@{link.sublink}",
    )
    return f"https://t.test/{link.number}{''.join(marks)}"


def html(text: str, rules: LinkRules | None = None) -> str:
    return tracked_html(text.encode(), "utf-8", rules or LinkRules(), address).decode()


HTML = [
    ('<a  HREF = "http://a.test" >x</a><p>', '<a  HREF = "https://t.test/1" >x</a><p>'),
    ("<a href=http://a.test><a href='https://b.test'>", "<a href=https://t.test/1><a href='https://t.test/2'>"),
    ('<a data-pm-no-track href="http://a.test"><a href="http://b.test">', '<a data-pm-no-track href="http://a.test"><a href="https://t.test/2">'),
    ('<a href="http://a.test" data-msys-clicktrack="0">', '<a href="http://a.test" data-msys-clicktrack="0">'),
    ('<a href="http://a.test" data-msys-clicktrack="1">', '<a href="https://t.test/1" data-msys-clicktrack="1">'),
    ('<a href="http://a.test" data-msys-unsubscribe="1">', '<a href="https://t.test/1u" data-msys-unsubscribe="1">'),
    ('<a href="http://a.test" data-msys-linkname="a &amp; b">',
     '<a href="https://t.test/1:a & b" data-msys-linkname="a &amp; b">'),
    (f'<a href=http://a.test data-msys-linkname={"x" * 62}ü>',
     f'<a href=https://t.test/1:{"x" * 62} data-msys-linkname={"x" * 62}ü>'),
    ('<a data-msys-sublink="app.1" href="http://a.test">', '<a data-msys-sublink="app.1" href="https://t.test/1@app.1">'),
    ('<a data-msys-sublink="../x" href="http://a.test">', '<a data-msys-sublink="../x" href="https://t.test/1">'),
    ('<a href="https://OURS.test/out">', '<a href="https://OURS.test/out">'),
    ('<a href="https://user@ours.test?x">', '<a href="https://user@ours.test?x">'),
    ('<a href="http://a.test/a b"><a href="http://a.test/\n">', '<a href="http://a.test/a b"><a href="https://t.test/2">'),
    ('<a href="http://a.test/' + "x" * 4096 + '">', '<a href="http://a.test/' + "x" * 4096 + '">'),
    ('<a href="mailto:a@b.test"><a href="#x"><a name=x>', '<a href="mailto:a@b.test"><a href="#x"><a name=x>'),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), HTML)
def test_links_of_html(before: str, after: str) -> None:
    assert html(before, LinkRules(frozenset(["ours.test"]))) == after


def test_a_link_whose_text_is_a_url_can_be_left() -> None:
    shown = '<a href="http://a.test"><b> HTTP://a.test</b></a><a href="http://a.test">our shop</a>'
    assert html(shown, LinkRules(leaves_shown_urls=True)) == shown.replace(
        '"http://a.test">our', '"https://t.test/2">our'
    )
    assert html(shown).count("https://t.test/") == 2


TEXT = [
    ("See http://a.test/x. Or (https://b.test)", "See https://t.test/1. Or (https://t.test/2)"),
    ('http://a.test[[data-msys-clicktrack="0"]] b', "http://a.test b"),
    ('http://a.test[[data-msys-clicktrack="1"]], b', "https://t.test/1, b"),
    ("https://ours.test/out mailto:a@b.test www.c.test", "https://ours.test/out mailto:a@b.test www.c.test"),
    ("http://marked.test http://a.test", "http://marked.test https://t.test/2"),
]


@pytest.mark.parametrize(("before", "after"), TEXT)
def test_links_of_text(before: str, after: str) -> None:
    assert (
        tracked_text(
            before, LinkRules(frozenset(["ours.test"]), untracked=frozenset(["http://marked.test"])), address
        )
        == after
    )


def test_what_html_marks_the_text_leaves_alone() -> None:
    marked = marked_targets(
        b'<a data-pm-no-track href="http://a.test/?x=1&amp;y=2"><a href="http://b.test">', "utf-8"
    )
    assert marked == {"http://a.test/?x=1&y=2"}
    assert (
        tracked_text("http://a.test/?x=1&y=2", LinkRules(untracked=marked), address)
        == "http://a.test/?x=1&y=2"
    )


@given(
    st.text(max_size=60), st.text(st.characters(min_codepoint=33, exclude_characters='"\x7f'), max_size=40)
)
def test_a_target_comes_back_byte_for_byte(around: str, path: str) -> None:
    written = path.replace("&", "&amp;")
    document = f'<p>{around.replace("<", "")}</p><a href="http://a.test/{written}">x</a>'.encode(
        "utf-8", "replace"
    )
    targets: list[str] = []

    def noted(link: TrackedLink) -> str:
        targets.append(link.target)
        return "https://t.test/1"

    after = tracked_html(document, "utf-8", LinkRules(), noted)
    assert targets == [f"http://a.test/{path}"]
    (link,) = html_links(document, "utf-8")
    assert after == document[: link.start] + b"https://t.test/1" + document[link.end :]
