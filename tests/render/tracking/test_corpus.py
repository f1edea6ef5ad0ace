"""Newsletters through tracking and back: nothing is changed but links, and they are those that a browser has."""

import email
import re
from email import policy
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from angarium.core.options import Options
from angarium.core.records import Message, Recipient
from angarium.mime.texts import edit_texts
from angarium.render.html.links import Splice, html_links, is_web_target, spliced
from angarium.render.pipeline import Renderer
from angarium.render.tracking.addresses import SignedTrackingAddresses
from angarium.testing.newsletters import DOCUMENTS, ENCODINGS, SHAPES, WORDS, CorpusMail, mail_of
from angarium.testing.spool import make_message

ADDRESSES = SignedTrackingAddresses(lambda: [b"k" * 32])
HOST = "https://t.test"
RENDERER = Renderer(ADDRESSES)
_BLANKS = "\t\n\f\r "


def recipient(**options: object) -> Recipient:
    message: Message = msgspec.structs.replace(
        make_message("one.test"), options=Options(**options), tracking_url=HOST, is_vouched=True
    )  # type: ignore[arg-type]
    return Recipient(message, 0, "default", "one.test")


def html_of(mail: bytes) -> bytes:
    """Return the first HTML part, decoded by this program's own reading."""
    found: list[bytes] = []
    edit_texts(mail, lambda text: found.append(text.data) if text.kind == "html" else None)
    return found[0]


def oracle_links(html: str) -> list[str]:
    """Return the web links as a browser's parser has them."""
    tree = LexborHTMLParser(html)
    targets = [(node.attributes.get("href") or "").strip(_BLANKS) for node in tree.css("a[href], area[href]")]
    return [target for target in targets if is_web_target(target)]


ALL = list(product(DOCUMENTS, WORDS, ENCODINGS, SHAPES))
SOME = [each for number, each in enumerate(ALL) if number % 5 == 0]


def corpus_mail(name: str, charset: str, encoding: str, shape: str) -> CorpusMail:
    return mail_of(DOCUMENTS[name], charset, encoding, shape)


@pytest.mark.parametrize(("name", "charset", "encoding", "shape"), ALL)
def test_nothing_but_links_is_changed(name: str, charset: str, encoding: str, shape: str) -> None:
    mail = corpus_mail(name, charset, encoding, shape)
    after = RENDERER.render(recipient(track_links="html"), mail.message)
    tracked = html_of(after)
    assert tracked != mail.html
    assert without_tracking(tracked, charset) == html_with_plain_targets(mail)
    before_part, after_part = around(mail.message), around(after)
    assert before_part == after_part


def around(mail: bytes) -> tuple[bytes, bytes]:
    """Return what stands before and behind the body of the first HTML part, as the library finds it."""
    at = re.search(rb'charset="[^"]+"\r\nContent-Transfer-Encoding: [^\r]+\r\n\r\n', mail)
    assert at is not None
    message = email.message_from_bytes(mail, policy=policy.SMTP)
    ends = [b"\r\n--%b" % boundary.encode() for part in message.walk() if (boundary := part.get_boundary())]
    stops = [stop for end in ends if (stop := mail.find(end, at.end())) >= 0]
    return mail[: at.end()], mail[min(stops) :] if stops else b""


def without_tracking(html: bytes, charset: str) -> bytes:
    """Return the document with the targets of tracked links in their place, as they are meant."""
    splices = []
    for link in html_links(html, charset):
        tracked = ADDRESSES.read(link.target.removeprefix(HOST)) if link.target.startswith(HOST) else None
        if tracked is not None:
            splices.append(Splice(link.start, link.end, tracked.target))
    return spliced(html, splices)


def html_with_plain_targets(mail: CorpusMail) -> bytes:
    """Return the document with the links that are tracked written as they are meant, all else as it is."""
    return spliced(
        mail.html,
        (
            Splice(link.start, link.end, link.target.encode("utf-8", "surrogateescape"))
            for link in html_links(mail.html, mail.charset)
            if not re.search(r"[\x00-\x20\x7f]", link.target)
        ),
    )


@pytest.mark.parametrize(("name", "charset", "encoding", "shape"), SOME)
def test_links_are_those_that_a_browser_has(name: str, charset: str, encoding: str, shape: str) -> None:
    mail = corpus_mail(name, charset, encoding, shape)
    expected = oracle_links(mail.html.decode(mail.charset))
    ours = [link.target for link in html_links(mail.html, mail.charset)]
    if name == "broken":  # what stands in a table where it must not, a browser moves before it
        ours, expected = sorted(ours), sorted(expected)
    assert ours == expected
    assert len(expected) >= 2
    after = html_of(RENDERER.render(recipient(track_links="html", track_opens=True), mail.message))
    tracked = oracle_links(after.decode(mail.charset))
    for url, target in zip(tracked, oracle_links(mail.html.decode(mail.charset)), strict=True):
        named = ADDRESSES.read(url.removeprefix(HOST))
        assert named is None if re.search(r"[\x00-\x20\x7f]", target) else named is not None
        assert url == target if named is None else named.target == target.encode()


@pytest.mark.parametrize(("name", "charset", "encoding", "shape"), SOME)
def test_a_library_reads_what_was_written(name: str, charset: str, encoding: str, shape: str) -> None:
    mail = corpus_mail(name, charset, encoding, shape)
    who = recipient(
        track_links="all", track_opens=True, initial_open=True, inline_css=True, text_from_html=True
    )
    parsed = email.message_from_bytes(RENDERER.render(who, mail.message), policy=policy.SMTP)
    assert not any(part.defects for part in parsed.walk())
    read = parsed.get_body(("html",))
    assert read is not None
    assert f'<img src="{HOST}/t/o' in read.get_content()
    assert WORDS[charset] in read.get_content()


@pytest.mark.parametrize(("name", "charset", "encoding", "shape"), SOME)
def test_mail_that_asks_for_nothing_stays_as_it_is(
    name: str, charset: str, encoding: str, shape: str
) -> None:
    mail = corpus_mail(name, charset, encoding, shape)
    assert RENDERER.render(recipient(track_links="none"), mail.message) is mail.message


PIECES = st.sampled_from(
    ["<a href=", "<a href='", '<a href="', "http://a.test/", "'", '"', ">", "</a>", " ", "\n", "x", "<", "é"]
)
ODD = st.sampled_from(
    [
        "<!--",
        "-->",
        "<!",
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "=",
        "/",
        '<b title="',
        "&amp;",
        "&copy",
    ]
)


def compared(document: str) -> None:
    """Compare with the oracle, where the two are to agree: it builds a tree, and of unclosed links makes several."""
    ours = [link.target for link in html_links(document.encode(), "utf-8")]
    theirs = oracle_links(document)
    assert sorted(set(ours)) == sorted(set(theirs))


@given(st.lists(PIECES | ODD, max_size=40))
def test_whatever_comes_the_links_are_those_of_a_browser(pieces: list[str]) -> None:
    compared("".join(pieces))


@pytest.mark.long
@settings(max_examples=5_000)
@given(st.lists(PIECES | ODD, max_size=80))
def test_whatever_comes_the_links_are_those_of_a_browser_for_long(pieces: list[str]) -> None:
    compared("".join(pieces))
