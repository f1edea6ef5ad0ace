"""What tracking does to a message that came whole."""

from typing import Any

import msgspec
import pytest

from angarium.core.options import Options
from angarium.core.records import Recipient
from angarium.mime.build.fields import NamedMailbox
from angarium.mime.build.message import Composition, compose
from angarium.mime.texts import edit_texts
from angarium.render.html.links import html_links, text_links
from angarium.render.pipeline import RENDERING, goes_alone, render, rendering_with
from angarium.render.tracking.addresses import SignedTrackingAddresses, Tracked
from angarium.render.tracking.mail import wants_tracking
from angarium.testing.spool import make_message

ADDRESSES = SignedTrackingAddresses(lambda: [b"k" * 32])
HOST = "https://t.test"
MAIL = compose(
    Composition(
        [NamedMailbox("a@b.test")],
        "Hi",
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
    assert read(tracked) == Tracked("click", who.message.id, 1, 1, "http://shop.test/é".encode())
    assert left == "http://left.test/?a=1&b=2"
    tracked, left = (link.target for link in html_links(html.encode(), "utf-8"))
    assert read(tracked) == Tracked("click", who.message.id, 1, 1, "http://shop.test/é".encode())
    assert left == "http://left.test/?a=1&b=2"
    picture = html.split('<img src="')[1].split('"')[0]
    assert read(picture) == Tracked("open", who.message.id, 1)
    assert html.endswith('" width="1" height="1" border="0" alt="" /></body>\r\n')


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
    for rendering in (RENDERING, rendering_with(ADDRESSES)):
        assert (rendering.is_personal(plain), rendering.is_personal(personal)) == (False, True)
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
