"""What is done to HTML takes time in proportion to its length, whatever is in it.

Compared are documents of one kind and two lengths, by the processor time of this thread: eight times as long may take
eight times as long, and 24 times where the machine is disturbed; what is quadratic takes 64 times.
"""

import time
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from angarium.core.options import Options
from angarium.core.records import Recipient
from angarium.render.images.lift import lift_images
from angarium.render.pipeline import Renderer
from angarium.render.tracking.addresses import SignedTrackingAddresses
from angarium.testing.spool import make_message

RENDERER = Renderer(SignedTrackingAddresses(lambda: [b"k" * 32]))
WHO = Recipient(
    msgspec.structs.replace(
        make_message("one.test"),
        options=Options(track_links="all", track_opens=True, prevent_scam=True, text_from_html=True),
        tracking_url="https://t.test",
        is_vouched=True,
        offers_way_out=True,
    ),
    0,
    "default",
    "one.test",
)
SHORT, LONG = 5_000, 40_000
MOST = 24.0
_FLOOR_S = 0.0005
"""Below it, the clock says more than the work."""


def rendered(document: bytes) -> None:
    RENDERER.render(WHO, b"Content-Type: text/html\r\n\r\n" + document)


def lifted(document: bytes) -> None:
    head = b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    picture = b"\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <a>\r\n\r\npng\r\n--b--\r\n"
    lift_images(head + document + picture, lambda data: "https://t.test/p")


def took_s(work: Callable[[bytes], None], document: bytes) -> float:
    times = []
    for _ in range(3):
        began = time.thread_time()
        work(document)
        times.append(time.thread_time() - began)
    return max(min(times), _FLOOR_S)


def ratio(work: Callable[[bytes], None], unit: bytes) -> float:
    return took_s(work, unit * (LONG // len(unit))) / took_s(work, unit * (SHORT // len(unit)))


UNITS = [
    b"<a ", b"<a =", b"<!--", b"<!-- -", b'x=" ', b"<", b"</", b" ", b"<style>", b"<script><", b"<title></",
    b'<a href="http://a.test/">x</a>', b"<a href='http://a.test/", b"<a href=http://a.test>http://a.test ",
    b"{{{", b"{{{ pm:unsubscribe }}}", b'{{{ pm:unsubscribe label="', b"<div>", b"<div hidden>", b"<ul><li>", b"</div>",
    b"&", b"&#", b"<a href=&", b"<p a b c d e f g h", b"<td background='cid:a'>", b"(cid:", b"=cid:a ", b"\xff",
    b"<body>", b"</body>", b"http://a.test/((((", b"<area data-msys-unsubscribe=1 href=http://a.test>",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS, ids=[unit.decode("latin-1") for unit in UNITS])
def test_time_grows_as_the_document_does(unit: bytes) -> None:
    assert ratio(rendered, unit) < MOST


@pytest.mark.parametrize("unit", [b"<img src='cid:a'>", b"cid:", b'"cid:', b"(cid:a", b"=cid:\xff"])
def test_pictures_are_found_in_time_that_grows_as_the_document_does(unit: bytes) -> None:
    assert ratio(lifted, unit) < MOST


@pytest.mark.long
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*UNITS, b"x", b">", b'"', b"'", b"="]), min_size=1, max_size=6))
def test_time_grows_as_any_document_does(units: list[bytes]) -> None:
    document = b"".join(units)
    assert ratio(rendered, document) < MOST
    assert ratio(lifted, document) < MOST
