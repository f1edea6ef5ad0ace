"""The addresses behind opens and clicks, asked for as readers, programs and strangers ask."""

import asyncio
import re
from typing import Any

import pytest

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.http.tracking import TrackingDoor
from angarium.render.images.names import HostedImage, SignedImagePaths, image_of
from angarium.render.images.shelf import ImageShelf
from angarium.render.tracking.addresses import IN_TEXT, SignedTrackingAddresses, Tracked, TrackedKind
from angarium.testing.clock import ManualClock

ADDRESSES = SignedTrackingAddresses(lambda: [b"k" * 32])
MESSAGE = MessageId(bytes(16))


class OnePicture:
    """An `ImageFiles` with one picture, which can be lost."""

    def __init__(self) -> None:
        self.data: bytes | None = PNG
        self.is_broken = False

    def keep(self, data: bytes, now: float) -> HostedImage | None:
        return image_of(data)

    def read(self, image: HostedImage) -> bytes | None:
        if self.is_broken:
            raise OSError
        return self.data

    def drop(self, before: float) -> int:
        return 0


PNG = b"\x89PNG\r\n\x1a\n"
FILES = OnePicture()
SHELF = ImageShelf(FILES, SignedImagePaths(lambda: [b"k" * 32]), ManualClock(0.0))


class Door:
    def __init__(self) -> None:
        self.noted: list[Any] = []
        self.kept: list[Any] = []
        self.is_full = False
        self.app = TrackingDoor(
            ADDRESSES, lambda deed, fields: self.noted.append((deed, fields)), self._keep, SHELF
        )

    async def _keep(self, deed: Any, fields: Any) -> None:
        if self.is_full:
            raise AngariumError("the disk is full")
        self.kept.append((deed, fields))

    def ask(
        self, path: str, method: str = "GET", agent: str = "Mail/1", *more: tuple[bytes, bytes]
    ) -> tuple[int, dict[str, str], bytes]:
        said: list[Any] = []
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("latin-1"),
            "headers": [(b"user-agent", agent.encode()), *more],
            "client": ("192.0.2.7", 4000),
        }

        async def run() -> None:
            async def receive() -> Any:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                said.append(message)

            await self.app(scope, receive, send)

        asyncio.run(run())
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in said[0]["headers"]}
        return said[0]["status"], headers, said[1]["body"]


@pytest.fixture
def door() -> Door:
    return Door()


def path(kind: TrackedKind = "click", target: bytes = b"https://shop.test/a?b=%20&c#d") -> str:
    link = 3 if kind == "click" else 0
    return ADDRESSES.path(Tracked(kind, MESSAGE, 2, link, target if link else b""))


def test_an_open_is_answered_by_a_picture_that_nobody_keeps(door: Door) -> None:
    status, headers, body = door.ask(path("open"))
    assert (status, headers["content-type"], body[:6]) == (200, "image/gif", b"GIF89a")
    assert "no-store" in headers["cache-control"]
    assert door.noted == [
        (
            ("open", MESSAGE, 2, 0),
            {"address": "192.0.2.7", "agent": "Mail/1", "method": "", "url": "", "name": ""},
        )
    ]


def test_a_click_goes_where_the_link_went(door: Door) -> None:
    status, headers, body = door.ask(path())
    assert (status, headers["location"], body) == (302, "https://shop.test/a?b=%20&c#d", b"")
    assert headers["x-robots-tag"] == "noindex, nofollow"
    said = door.noted[0][1]
    assert (said["url"], said["link"], said["part"]) == ("https://shop.test/a?b=%20&c#d", 3, "html")


def test_a_click_says_which_link_it_was(door: Door) -> None:
    link = Tracked("click", MESSAGE, 2, 4 + IN_TEXT, b"https://shop.test", "Größe/1".encode())
    assert door.ask(ADDRESSES.path(link, "app"))[1]["location"] == "https://shop.test"
    said = door.noted[0][1]
    assert (said["link"], said["part"], said["name"]) == (4, "text", "Größe/1")


LOCATIONS = [
    ("https://shop.test/é?q=ü&x=%zz[0]#ö", "https://shop.test/%C3%A9?q=%C3%BC&x=%zz[0]#%C3%B6"),
    ("http://BÜCHER.test:8080/é", "http://xn--bcher-kva.test:8080/%C3%A9"),
    ("https://ü@shop.test/", "https://%C3%BC@shop.test/"),
    ("https://ü..test/", "https://%C3%BC..test/"),
    (b"https://shop.test/\xff", "https://shop.test/%FF"),
    (b"https://\xff.test/", "https://%FF.test/"),
]


@pytest.mark.parametrize(("target", "location"), LOCATIONS)
def test_letters_beyond_ascii_are_written_as_browsers_do(
    door: Door, target: str | bytes, location: str
) -> None:
    raw = target.encode() if isinstance(target, str) else target
    assert door.ask(path(target=raw))[1]["location"] == location


def test_what_a_gateway_appends_changes_nothing(door: Door) -> None:
    assert door.ask(f"{path()}?utm_source=x")[0] == 302


def test_a_program_that_asks_for_the_head_is_noted_as_such(door: Door) -> None:
    assert door.ask(path(), "HEAD")[0] == 302
    assert door.noted[0][1]["method"] == "HEAD"


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_other_methods_count_for_nothing(door: Door, method: str) -> None:
    status, headers, _ = door.ask(path(), method)
    assert (status, headers["allow"], door.noted) == (405, "GET, HEAD", [])


FOREIGN = [
    path()[:-1],
    path().replace("shop", "evil"),
    path("open") + "/s%3Aevil.test",
    path("click", b""),
    "/t/<script>alert(1)</script>",
    "/t/",
    "/t/c",
]


@pytest.mark.parametrize("asked", FOREIGN)
def test_what_this_node_has_not_made_leads_nowhere(door: Door, asked: str) -> None:
    status, headers, body = door.ask(asked)
    assert (status, body, door.noted) == (404, b"there is nothing here\n", [])
    assert "location" not in headers
    assert headers["content-type"].startswith("text/plain")


WAY_OUT = path("unsubscribe", b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_to_look_at_the_way_out_changes_nothing(door: Door, method: str) -> None:
    status, headers, body = door.ask(WAY_OUT, method)
    assert (status, door.kept, door.noted) == (200, [], [])
    assert headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert b'<form method="post">' in body


def test_a_post_unsubscribes_before_it_is_answered(door: Door) -> None:
    status, headers, body = door.ask(WAY_OUT, "POST")
    assert (status, b"You are unsubscribed" in body) == (200, True)
    assert "set-cookie" not in headers
    assert "location" not in headers
    assert door.kept == [
        (
            ("unsubscribe", MESSAGE, 2, 0),
            {"address": "192.0.2.7", "agent": "Mail/1", "method": "", "url": "", "name": ""},
        )
    ]


def test_who_has_unsubscribed_can_take_it_back(door: Door) -> None:
    back = re.search(r'action="(/t/r[^"]+)"', door.ask(WAY_OUT, "POST")[2].decode())
    assert back is not None
    status, _, body = door.ask(back[1])
    assert (status, b"Subscribe again" in body, len(door.kept)) == (200, True, 1)
    status, _, body = door.ask(back[1], "POST")
    assert (status, b"You are subscribed again" in body) == (200, True)
    assert door.kept[1][0] == ("resubscribe", MESSAGE, 2, 0)


def test_a_marked_link_asks_first_and_leads_on(door: Door) -> None:
    target = b"https://shop.test/out?<b>"
    marked = ADDRESSES.path(Tracked("link_unsubscribe", MESSAGE, 2, 3, target))
    status, headers, body = door.ask(marked)
    assert (status, door.kept, "location" in headers) == (200, [], False)
    assert door.noted[0][0] == ("click", MESSAGE, 2, 3)
    assert b'<form method="post">' in body
    status, _, body = door.ask(marked, "POST")
    assert (status, door.kept[0][0]) == (200, ("link_unsubscribe", MESSAGE, 2, 3))
    assert b'<a href="https://shop.test/out?&lt;b&gt;" rel="noreferrer">Go on to shop.test</a>' in body
    assert b"<b>" not in body


@pytest.mark.parametrize(
    ("accepted", "title"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "Abmelden"),
        ("xx, nl;q=0.3, fr;q=0.7", "Se désabonner"),
        ("de;q=0, *", "Unsubscribe"),
        ("</html>", "Unsubscribe"),
        ("," * 10_000 + "de", "Unsubscribe"),
        ("", "Unsubscribe"),
    ],
)
def test_a_page_is_in_the_reader_s_language(door: Door, accepted: str, title: str) -> None:
    body = door.ask(WAY_OUT, "GET", "Mail/1", (b"accept-language", accepted.encode()))[2].decode()
    assert f"<h1>{title}</h1>" in body
    assert not re.search(r"<script|<img|<link|src=|https?://", body)


def test_what_cannot_be_kept_is_not_said_to_be(door: Door) -> None:
    door.is_full = True
    status, headers, body = door.ask(WAY_OUT, "POST")
    assert (status, headers["retry-after"], door.kept) == (503, "60", [])
    assert b"try again" in body


def test_the_way_out_knows_no_other_methods(door: Door) -> None:
    status, headers, _ = door.ask(WAY_OUT, "DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_picture_is_answered_as_what_it_is_and_may_be_kept(door: Door) -> None:
    path = SHELF.host(PNG)
    status, headers, body = door.ask(path)
    assert (status, headers["content-type"], body) == (200, "image/png", PNG)
    assert "immutable" in headers["cache-control"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    again = door.ask(path, "GET", "Mail/1", (b"if-none-match", headers["etag"].encode()))
    assert (again[0], again[2]) == (304, b"")
    assert door.ask(path, "POST")[0] == 405
    assert door.ask(path[:-1] + "!")[0] == 404
    assert door.noted == []


def test_a_picture_that_is_not_there(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    path = SHELF.host(PNG)
    monkeypatch.setattr(FILES, "data", None)
    assert door.ask(path)[0] == 404
    monkeypatch.setattr(FILES, "is_broken", True)
    assert door.ask(path)[0] == 503
