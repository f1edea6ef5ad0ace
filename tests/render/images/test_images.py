"""Pictures lifted out of mail, and kept."""

import email
import os
from email import policy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.fields import Attachment, Fields, NamedMailbox
from angarium.mime.build.message import compose
from angarium.render.images.files import ImageFiles
from angarium.render.images.lift import lift_images
from angarium.render.images.names import LARGEST, HostedImage, SignedImagePaths, image_of
from angarium.render.images.shelf import ImageShelf
from angarium.testing.clock import ManualClock

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 60
GIF = b"GIF89a" + b"\1" * 60
DAY = 86_400.0


def hosting(data: bytes) -> str:
    image = image_of(data)
    return f"https://t.test/{image.kind}" if image else ""


def related(html: bytes, *images: tuple[str, bytes]) -> bytes:
    parts = [b"Content-Type: text/html; charset=latin1\r\n\r\n" + html]
    for name, data in images:
        named = f"Content-Type: image/x; name={name}\r\nContent-ID: <{name}>\r\n"
        parts.append(named.encode() + b"Content-Transfer-Encoding: binary\r\n\r\n" + data)
    return (
        b"Subject: x\r\nContent-Type: multipart/related; boundary=b\r\n\r\npreamble"
        + b"".join(b"\r\n--b\r\n" + part for part in parts)
        + b"\r\n--b--\r\nepilogue"
    )


SHOWN = [
    b'<img src="cid:a@b">',
    b"<td background='CID:a@b'>",
    b"<img src=cid:a@b>",
    b"<i style='background:url(cid:a@b)'>",
    b'<!--[if mso]><v:fill src="cid:a@b" /><![endif]-->',
    b'<img alt="\xe9" src="cid:a%40b"><img src="cid:other">',
    b'<img src="cid:a&#64;b">',
]


@pytest.mark.parametrize("html", SHOWN)
def test_what_the_html_shows_leaves_the_mail_and_all_else_stays(html: bytes) -> None:
    after = lift_images(related(html, ("a@b", PNG), ("unused", GIF)), hosting)
    old = next(each for each in (b"cid:a@b", b"CID:a@b", b"cid:a%40b", b"cid:a&#64;b") if each in html)
    assert after == related(html.replace(old, b"https://t.test/png"), ("unused", GIF))


def test_all_pictures_of_a_composed_mail() -> None:
    mail = compose(
        Fields(
            author=(NamedMailbox("a@b.test"),),
            text="hello",
            html='<img src="cid:one"><img src="cid:two"><p>é',
            attachments=(
                Attachment(name="a.png", kind="image/png", content=PNG, content_id="one"),
                Attachment(name="a.gif", kind="image/gif", content=GIF, content_id="two"),
                Attachment(name="b.png", kind="image/png", content=PNG),
            ),
        ),
        seed="s",
    )
    parsed = email.message_from_bytes(lift_images(mail, hosting), policy=policy.default)
    kinds = [part.get_content_type() for part in parsed.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html", "image/png"]
    html = parsed.get_body(("html",))
    assert html is not None
    assert html.get_content().startswith('<img src="https://t.test/png"><img src="https://t.test/gif"><p>é')


STAY: list[tuple[str, bytes]] = [
    ("not named", related(b"<p>cid:a", ("a", PNG))),
    ("no picture", related(b"<img src=cid:a>", ("a", b"<svg onload=x>"))),
    ("too large", related(b"<img src=cid:a>", ("a", PNG + b"x" * LARGEST))),
    ("two of one name", related(b"<img src=cid:a>", ("a", PNG), ("a", GIF))),
    (
        "the root",
        related(b"x", ("a", PNG)).replace(b"text/html; charset=latin1", b"image/png\r\nContent-ID: <r>"),
    ),
    ("not related", related(b"<img src=cid:a>", ("a", PNG)).replace(b"/related", b"/mixed")),
    ("signed", related(b"<img src=cid:a>", ("a", PNG)).replace(b"/related", b"/signed")),
    ("no mime", b"Subject: x\r\n\r\ncid:a base64"),
]


@pytest.mark.parametrize("mail", [mail for _, mail in STAY], ids=[name for name, _ in STAY])
def test_what_stays_in_the_mail(mail: bytes) -> None:
    assert lift_images(mail, hosting) == mail


PATHS = SignedImagePaths(lambda: [b"k" * 32])


@given(
    st.sampled_from([PNG, GIF, b"\xff\xd8\xff", b"RIFF1234WEBP", b"BM" + b"x" * 8]), st.binary(max_size=20)
)
def test_paths_name_what_is_in_a_picture(data: bytes, more: bytes) -> None:
    image = image_of(data + more)
    assert image is not None
    assert PATHS.read(PATHS.path(image)) == image


def test_a_path_that_was_altered_names_nothing() -> None:
    image = HostedImage("png", bytes(20))
    path = PATHS.path(image)
    assert all(
        PATHS.read(path[:at] + "-" + path[at + 1 :]) is None for at in range(len(path)) if path[at] != "-"
    )
    assert PATHS.read(path + "x") is None
    assert SignedImagePaths(lambda: [b"n" * 32, b"k" * 32]).read(path) == image
    assert SignedImagePaths(lambda: [b"n" * 32]).read(path) is None


@pytest.mark.parametrize("data", [b"", b"<svg>", b"<html>", b"%PDF-1", b"GIF88a"])
def test_what_is_no_picture_has_no_name(data: bytes) -> None:
    assert image_of(data) is None


def test_a_picture_is_kept_once_and_as_long_as_mail_leaves_with_it(tmp_path: Path) -> None:
    clock = ManualClock(100 * DAY)
    shelf = ImageShelf(ImageFiles(tmp_path / "images"), PATHS, clock)
    path = shelf.host(PNG)
    assert shelf.host(PNG) == path
    assert shelf.host(b"<svg>") == ""
    image = shelf.named(path)
    assert image is not None
    assert shelf.read(image) == PNG
    (file,) = (tmp_path / "images").glob("*/*")
    assert file.stat().st_mode & 0o777 == 0o600
    clock.at += 20 * DAY
    shelf.host(PNG)
    shelf.host(GIF)
    clock.at += 20 * DAY
    assert shelf.drop_unused(30) == 0
    shelf.host(GIF)
    clock.at += 20 * DAY
    assert (shelf.drop_unused(30), shelf.read(image)) == (1, None)
    assert len(list((tmp_path / "images").glob("*/*"))) == 1


def test_a_full_disk_leaves_no_half_a_picture(tmp_path: Path, monkeypatch: Any) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "no space")

    files = ImageFiles(tmp_path)
    (tmp_path / "00").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            files.keep(PNG, DAY)
    assert list(tmp_path.glob("*/*")) == []
    assert files.keep(PNG, DAY) is not None
