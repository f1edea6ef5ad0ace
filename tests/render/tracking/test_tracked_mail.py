"""What tracking does to a message that came whole."""

import email
import re
from email import policy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.fields import Fields, NamedMailbox
from angarium.core.options import Options
from angarium.core.records import Message, Recipient
from angarium.mime.build.message import compose
from angarium.mime.texts import edit_texts
from angarium.render.html.links import html_links, text_links
from angarium.render.pipeline import RENDERING, Renderer, goes_alone, is_changed, is_personal, rendering_with
from angarium.render.return_path import ReturnPaths, SignedReturnPaths
from angarium.render.tracking.addresses import IN_TEXT, SignedTrackingAddresses, Tracked, TrackingAddresses
from angarium.render.tracking.mail import wants_tracking
from angarium.testing.spool import make_message


def render(
    who: Recipient,
    mail: bytes,
    addresses: TrackingAddresses | None = None,
    returns: ReturnPaths | None = None,
) -> bytes:
    return Renderer(addresses, returns).render(who, mail)


ADDRESSES = SignedTrackingAddresses(lambda: [b"k" * 32])
HOST = "https://t.test"
MAIL = compose(
    Fields(
        author=(NamedMailbox("a@b.test"),),
        subject="Hi",
        text="See http://shop.test/é and http://left.test/?a=1&b=2.",
        html='<body><a href="http://shop.test/&eacute;">ü</a><a data-pm-no-track href="http://left.test/?a=1&amp;b=2">x</a></body>',
    ),
    seed="s",
)  # fmt: skip


def recipient(index: int = 0, **options: Any) -> Recipient:
    message = msgspec.structs.replace(
        make_message("one.test", "two.test"), options=Options(**options), tracking_url=HOST
    )
    return Recipient(message, index, "default", "one.test")


def texts(mail: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    edit_texts(mail, lambda text: found.setdefault(text.kind, text.data.decode(text.charset)) and None)
    return found


def read(url: str) -> Tracked:
    found = ADDRESSES.read(url.removeprefix(HOST))
    assert found is not None
    return found


def test_links_of_both_parts_and_the_picture() -> None:
    who = recipient(1, track_opens=True, track_links="all")
    after = texts(render(who, MAIL, ADDRESSES))
    plain, html = after["plain"], after["html"]
    tracked, left = (link.target for link in text_links(plain))
    assert read(tracked) == Tracked("click", who.message.id, 1, 1 + IN_TEXT, "http://shop.test/é".encode())
    assert left == "http://left.test/?a=1&b=2"
    tracked, left = (link.target for link in html_links(html.encode(), "utf-8"))
    assert read(tracked) == Tracked("click", who.message.id, 1, 1, "http://shop.test/é".encode())
    assert left == "http://left.test/?a=1&b=2"
    picture = html.split('<img src="')[1].split('"')[0]
    assert read(picture) == Tracked("open", who.message.id, 1)
    assert html.endswith('" width="1" height="1" border="0" alt="" /></body>\r\n')


def test_the_picture_at_the_beginning_comes_with_the_other_one_alone() -> None:
    for options, kinds in [
        ({"track_opens": True, "initial_open": True}, ["initial_open", "open"]),
        ({"initial_open": True}, []),
    ]:
        html = texts(render(recipient(**options), MAIL, ADDRESSES))["html"]
        assert [read(each).kind for each in re.findall(r'<img src="([^"]+)"', html)] == kinds
    assert texts(render(recipient(track_opens=True, initial_open=True), MAIL, ADDRESSES))["html"].startswith(
        '<body><img src="https://t.test/t/i'
    )
    bare = b"Content-Type: text/html\r\n\r\n<p>x\r\n"
    assert render(recipient(track_opens=True, initial_open=True), bare, ADDRESSES).count(b"<img") == 1


STYLED = b"Content-Type: text/html; charset=latin1\r\n\r\n<style>p{color:red}</style><p>\xe9"
INLINED = STYLED.replace(b"<p>", b'<p style="color: red;">')


def styled(*domains: str, is_vouched: bool = True, content: bytes = b"") -> Message:
    return msgspec.structs.replace(
        make_message(*domains, content=content), is_vouched=is_vouched, options=Options(inline_css=True)
    )


def test_style_sheets_are_put_in_for_all_alike() -> None:
    message = styled("one.test", "two.test")
    assert (is_changed(message), is_personal(message), goes_alone(message)) == (True, False, False)
    assert render(Recipient(message, 0, "default", "one.test"), STYLED) == INLINED
    passing = styled("one.test", is_vouched=False)
    assert not is_changed(passing)
    assert render(Recipient(passing, 0, "default", "one.test"), STYLED) is STYLED


def test_a_text_is_made_of_the_html_and_its_links_are_tracked() -> None:
    mail = b'Content-Type: text/html\r\n\r\n<style>b{display:none}</style><b>x</b><a href="http://shop.test">Buy</a>\r\n'
    who = recipient(text_from_html=True, inline_css=True, track_links="all")
    who = Recipient(msgspec.structs.replace(who.message, is_vouched=True), 0, "default", "one.test")
    after = texts(render(who, mail, ADDRESSES))
    said, _, link = after["plain"].partition(" <")
    assert (said, read(link[:-1]).target, read(link[:-1]).link) == ("Buy", b"http://shop.test", 1 + IN_TEXT)


def test_what_several_recipients_have_is_made_once() -> None:
    renderer = Renderer()
    shared = [styled("one.test", content=b"c" * 16), styled("two.test", content=b"c" * 16)]
    first, second = (renderer.render(Recipient(each, 0, "default", "one.test"), STYLED) for each in shared)
    assert first is second
    other = styled("one.test", content=b"d" * 16)
    assert renderer.render(Recipient(other, 0, "default", "one.test"), STYLED) is not first


@pytest.mark.parametrize(
    ("options", "plain", "html"),
    [
        ({"track_links": "html"}, 0, 1),
        ({"track_links": "text"}, 2, 0),
        ({"track_links": "none", "track_opens": True}, 0, 1),
        ({"track_opens": True}, 0, 1),
    ],
)
def test_what_is_asked_for_and_nothing_else(options: dict[str, Any], plain: int, html: int) -> None:
    after = texts(render(recipient(**options), MAIL, ADDRESSES))
    assert (after["plain"].count(HOST), after["html"].count(HOST)) == (plain, html)


def test_the_same_recipient_gets_the_same_bytes_and_another_gets_others() -> None:
    who = recipient(0, track_opens=True)
    other = Recipient(who.message, 1, "default", "two.test")
    assert render(who, MAIL, ADDRESSES) == render(who, MAIL, ADDRESSES) != render(other, MAIL, ADDRESSES)


def test_mail_of_text_alone_has_no_picture() -> None:
    mail = b"Subject: x\r\n\r\nno links\r\n"
    assert render(recipient(track_opens=True, track_links="all"), mail, ADDRESSES) is mail


def test_only_the_first_part_of_a_kind_is_tracked() -> None:
    part = b"--b\r\nContent-Type: text/html\r\n\r\n<a href=http://a.test>\r\n"
    mail = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 2 + b"--b--\r\n"
    after = render(recipient(track_links="html"), mail, ADDRESSES)
    assert after.count(HOST.encode()) == 1
    assert after.endswith(part + b"--b--\r\n")


def test_links_to_the_tracking_host_itself_are_left() -> None:
    mail = b"Content-Type: text/html\r\n\r\n<a href='https://T.test/t/u123'>out</a>"
    assert render(recipient(track_links="all"), mail, ADDRESSES) is mail


def test_mail_that_asks_for_nothing_is_not_personal() -> None:
    plain = make_message("one.test")
    personal = recipient(track_opens=True).message
    for rendering in (RENDERING, rendering_with(ADDRESSES, SignedReturnPaths(lambda: [b"k" * 32]))):
        assert (rendering.is_changed(plain), rendering.is_changed(personal)) == (False, True)
    assert (is_personal(plain), is_personal(personal)) == (False, True)
    assert (goes_alone(plain), goes_alone(personal)) == (False, True)
    assert render(Recipient(plain, 0, "default", "one.test"), MAIL, ADDRESSES) is MAIL


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, False),
        ({"track_opens": False, "track_links": "none"}, False),
        ({"track_opens": True}, True),
        ({"track_links": "text"}, True),
    ],
)
def test_what_asks_for_tracking(options: dict[str, Any], wanted: bool) -> None:
    assert wants_tracking(Options(**options)) is wanted


def with_way_out(
    mail: bytes,
    index: int = 0,
    *,
    returns: SignedReturnPaths | None = None,
    footer: str = "",
    **options: Any,
) -> tuple[str, bytes]:
    """Return the URL that names the recipient, and his mail."""
    who = recipient(index, **options)
    message = msgspec.structs.replace(
        who.message, offers_way_out=True, return_domain="bounces.test" if returns else "", footer=footer
    )
    who = Recipient(message, index, "default", "one.test")
    url = HOST + ADDRESSES.path(Tracked("unsubscribe", message.id, index))
    return url, render(who, mail, ADDRESSES, returns)


def test_the_way_out_has_fields_that_mail_programs_make_a_button_of() -> None:
    returns = SignedReturnPaths(lambda: [b"k" * 32])
    url, after = with_way_out(MAIL, 1, returns=returns)
    message = email.message_from_bytes(after, policy=policy.default)
    by_url, by_mail = message["List-Unsubscribe"].split(", ")
    assert by_url == f"<{url}>"
    named = returns.read(by_mail.removeprefix("<mailto:").partition("?")[0])
    assert named is not None
    assert (named.kind, named.index) == ("unsubscribe", 1)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (
        "mailto"
        not in email.message_from_bytes(with_way_out(MAIL)[1], policy=policy.default)["List-Unsubscribe"]
    )


def part_of(html: str, plain: str = "") -> bytes:
    return compose(
        Fields(author=(NamedMailbox("a@b.test"),), subject="Hi", text=plain or None, html=html), seed="s"
    )


PLACES = [
    (
        "<body>x</body>",
        '<body>x<p style="font-size:12px;text-align:center"><a href="URL">Unsubscribe</a></p></body>',
    ),
    ('<a href="{{{ pm:unsubscribe }}}">out</a>', '<a href="URL">out</a>'),
    ("<p>Too much? {{{pm:unsubscribe}}}</p>", '<p>Too much? <a href="URL">Unsubscribe</a></p>'),
    ('{{{pm:unsubscribe}}}<a href="{{{pm:unsubscribe}}}">', '<a href="URL">Unsubscribe</a><a href="URL">'),
    ('{{{ pm:unsubscribe label="Abmelden &amp; Schluß" }}}', '<a href="URL">Abmelden &amp; Schluß</a>'),
    ("{{{ pm:unsubscribe_url }}}", "URL"),
    ('<i title="<">{{{pm:unsubscribe}}}', '<i title="<"><a href="URL">Unsubscribe</a>'),
]


@pytest.mark.parametrize(("before", "after"), PLACES)
def test_where_the_link_stands_in_html(before: str, after: str) -> None:
    url, mail = with_way_out(part_of(before))
    assert texts(mail)["html"].removesuffix("\r\n") == after.replace("URL", url)


def test_where_the_link_stands_in_plain_text() -> None:
    url, mail = with_way_out(part_of("<p>x", "Hello\nOut: {{{ pm:unsubscribe }}}"))
    assert texts(mail) == {"plain": f"Hello\r\nOut: {url}\r\n", "html": "<p>x\r\n"}
    url, mail = with_way_out(part_of("<p>x", "Hello"))
    assert texts(mail)["plain"] == f"Hello\r\n\r\nUnsubscribe: {url}\r\n"


FOOTER = "Sie sind Kundin von Müller & Söhne.\n{{{ pm:unsubscribe label='Abmelden' }}}"


def test_a_stream_says_what_stands_around_the_link() -> None:
    url, mail = with_way_out(part_of("<p>x</p>", "Hello"), footer=FOOTER)
    after = texts(mail)
    assert after["plain"] == f"Hello\r\n\r\nSie sind Kundin von Müller & Söhne.\r\n{url}\r\n"
    link = f'<a href="{url}">Abmelden</a>'
    said = f"Sie sind Kundin von M&#252;ller &amp; S&#246;hne.<br>{link}"
    assert said in after["html"]
    url, mail = with_way_out(part_of("<p>x</p>"), footer="You asked for it.")
    assert f'You asked for it.<br>Unsubscribe: <a href="{url}">Unsubscribe</a>' in texts(mail)["html"]


@pytest.mark.parametrize("charset", ["us-ascii", "koi8-r", "iso-8859-1", "utf-8"])
def test_a_footer_is_said_whatever_the_charset_of_the_text(charset: str) -> None:
    word = "да" if charset == "koi8-r" else "yes"
    head = f'Subject: x\r\nContent-Type: text/plain; charset="{charset}"; format=flowed\r\n\r\n'
    url, mail = with_way_out(head.encode() + word.encode(charset), footer="Müller")
    read = email.message_from_bytes(mail, policy=policy.default)
    assert read.get_content().splitlines() == [word, "", "Müller", f"Unsubscribe: {url}"]
    assert read["Content-Type"].params["format"] == "flowed"
    marked = head.replace("plain", "html").encode() + f"<p>{word}".encode(charset)
    html = email.message_from_bytes(with_way_out(marked, footer="Müller")[1], policy=policy.default)
    assert "M&#252;ller" in html.get_content() or "Müller" in html.get_content()
    assert word in html.get_content()


def test_a_marked_link_is_a_way_out_and_needs_no_other() -> None:
    mail = part_of('<a data-msys-unsubscribe="1" href="http://shop.test/out">out</a>', "Hello")
    after = texts(with_way_out(mail, track_links="html")[1])
    (link,) = html_links(after["html"].encode(), "utf-8")
    assert read(link.target).kind == "link_unsubscribe"
    assert after["plain"] == "Hello\r\n"
    assert "Unsubscribe" in texts(with_way_out(mail)[1])["plain"]


def test_a_signed_mail_has_the_fields_alone() -> None:
    signed = (
        b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n{{{ pm:unsubscribe }}}\r\n--b--\r\n"
    )
    after = with_way_out(signed)[1]
    assert after.endswith(signed)
    assert after.startswith(b"List-Unsubscribe: <https://t.test/t/u")


@given(st.lists(st.integers(0, 2**24 - 1), min_size=2, max_size=5, unique=True))
def test_no_link_of_one_recipient_is_in_the_mail_of_another(indices: list[int]) -> None:
    message = msgspec.structs.replace(
        recipient().message, offers_way_out=True, options=Options(track_opens=True, track_links="all")
    )
    for index in indices:
        mail = render(Recipient(message, index, "default", "one.test"), MAIL, ADDRESSES)
        found = re.findall(r"https://t\.test(/t/[^\s\"<>]+)", "".join(texts(mail).values()))
        named = {tracked.index for tracked in map(ADDRESSES.read, found) if tracked}
        assert named == {index}
        assert len(found) >= 5
