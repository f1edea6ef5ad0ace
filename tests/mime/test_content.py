"""MIME fields are read by their grammar, and what is not grammatical as most readers do."""

import time
from email.headerregistry import HeaderRegistry
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.mime.content import ContentType, content_type, transfer_encoding

TOKEN_CHARS = ascii_letters + digits + "!#$&+-.^_`{|}~"


@pytest.mark.parametrize(
    ("field", "kind", "parameters"),
    [
        (b"", b"", {}),
        (b"text", b"", {}),
        (b"TEXT/Plain", b"text/plain", {}),
        (b" text / (what) html ; Charset=UTF-8 (x)", b"text/html", {b"charset": b"UTF-8"}),
        (b'a/b; x="1;2=\\"3\\\\"; y=4', b"a/b", {b"x": b'1;2="3\\', b"y": b"4"}),
        (b"a/b; x=1=2/3:4; y=5", b"a/b", {b"x": b"1=2/3:4", b"y": b"5"}),
        (b"a/b;;; ; x = 1;", b"a/b", {b"x": b"1"}),
        (b'a/b; x="1\r\n 2"', b"a/b", {b"x": b"1 2"}),
        (b"a/b; x=1; X=2", b"a/b", {b"x": b"1"}),
        (b"a/b; x=; y=1", b"a/b", {b"x": b"", b"y": b"1"}),
        (b'a/b; "x=1"; y=2', b"a/b", {b"y": b"2"}),
        (b'a/b; x="1', b"a/b", {b"x": b"1"}),
        (b'a/b; x="1\\', b"a/b", {b"x": b"1"}),
        (b"a/b; (x=1", b"a/b", {}),
        (b"a/b; (\\) (x=1) ; y=2) z=3", b"a/b", {b"z": b"3"}),
        (b"a/b; (\\\\(c)) z=3", b"a/b", {b"z": b"3"}),
        (b"a/b; x*0=1; x*1=2; x*3=4", b"a/b", {b"x": b"12"}),
        (b"a/b; x*1=2; x*0*=utf-8'en'%31%20; x*2*=%33", b"a/b", {b"x": b"1 23"}),
        (b"a/b; x*=utf-8''%C3%A4'", b"a/b", {b"x": "ä'".encode()}),
        (b"a/b; x*0=1; x=2", b"a/b", {b"x": b"2"}),
        (b"a/b; x*1=2", b"a/b", {b"x": b""}),
        (b"a/b; x=\xff\xfe", b"a/b", {b"x": b"\xff\xfe"}),
    ],
)
def test_content_type(field: bytes, kind: bytes, parameters: dict[bytes, bytes]) -> None:
    assert content_type(field) == ContentType(kind, parameters)


@pytest.mark.parametrize(
    ("field", "encoding"),
    [
        (b" 8BIT (as is)", b"8bit"),
        (b"(a (b) \\) c)base64", b"base64"),
        (b"7bit;", b"7bit"),
        (b'"Quoted-Printable"', b"quoted-printable"),
        (b"8 bit", b"8"),
        (b"", b""),
        (b"(8bit)", b""),
    ],
)
def test_transfer_encoding(field: bytes, encoding: bytes) -> None:
    assert transfer_encoding(field) == encoding


tokens = st.text(TOKEN_CHARS, min_size=1, max_size=10)
comments = st.sampled_from(["", " ", "(c)", ' (a (b; x=1) \\) "c) ', "\r\n\t"])
quotable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@st.composite
def fields(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    """A field with comments wherever they may be, and what it says."""
    parts = [draw(tokens), "/", draw(tokens)]
    kind = "".join(parts).lower()
    parameters = draw(st.dictionaries(tokens.map(str.lower), quotable, max_size=4))
    for name, value in parameters.items():
        is_token = value and set(value) <= set(TOKEN_CHARS) and draw(st.booleans())
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        parts += [";", name, "=", value if is_token else f'"{escaped}"']
    return "".join(draw(comments) + part for part in parts) + draw(comments), kind, parameters


@given(fields())
def test_comments_and_quotes_do_not_matter(field: tuple[str, str, dict[str, str]]) -> None:
    text, kind, parameters = field
    expected = {name.encode(): value.encode() for name, value in parameters.items()}
    assert content_type(text.encode()) == ContentType(kind.encode(), expected)


_OTHERS = HeaderRegistry()


@given(tokens, tokens, st.dictionaries(tokens.map(str.lower), tokens, max_size=4))
def test_the_standard_library_reads_the_same(main: str, sub: str, parameters: dict[str, str]) -> None:
    field = f"{main}/{sub}" + "".join(f'; {name}="{value}"' for name, value in parameters.items())
    other = _OTHERS("Content-Type", field)
    said = content_type(field.encode())
    assert said.kind.decode() == other.content_type  # type: ignore[attr-defined]
    assert {name.decode(): value.decode() for name, value in said.parameters.items()} == dict(other.params)  # type: ignore[attr-defined]


@given(
    st.lists(
        st.sampled_from([b"(", b")", b'"', b"\\", b";", b"=", b"*", b"0", b"/", b"a", b" ", b"\xff", b"%"])
    )
)
def test_anything_is_read(pieces: list[bytes]) -> None:
    content_type(b"a/b;" + b"".join(pieces))
    transfer_encoding(b"".join(pieces))


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", [b"(", b"()", b"(\\", b'"', b'\\"', b";", b"=", b"a=", b"a*1=b;", b"/", b" ", b"*0"]
)
def test_a_long_field_takes_time_in_proportion(piece: bytes) -> None:
    def seconds(size: int) -> float:
        data = b"a/b;" + piece * (size // len(piece))
        start = time.process_time()
        content_type(data)
        return time.process_time() - start

    assert seconds(300_000) < 50 * max(seconds(30_000), 0.002)
