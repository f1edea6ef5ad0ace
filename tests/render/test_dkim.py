"""Signatures that two independent verifiers take, over what was signed and nothing else."""

import re
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.config.records import DKIM_HEADERS, DKIM_OVERSIGN_HEADERS
from angarium.render.dkim import KeyUnusable, SigningKey, sign
from angarium.testing.opendkim import verdict

HEADER = (
    b"Received: from a by b;\r\n\tMon, 1 Jan 2026 00:00:00 +0000\r\n"
    b'From: "A.  B" <a@example.com>\r\n'
    b"To: one@far.test,\r\n  two@far.test\r\n"
    b"Subject: hello   there\r\n"
    b"Date: Mon, 1 Jan 2026 00:00:00 +0000\r\n"
    b"Message-ID: <1@example.com>\r\n"
    b"List-Unsubscribe: <https://example.com/u>\r\n"
    b"X-Other: not signed\r\n"
)
BODY = b"Hello,\r\n\r\n  this is   text.\t\r\n.\r\n.dot\r\n\r\n"
NOW = 1_790_000_000.7

FIELD_NAMES = st.one_of(
    st.sampled_from(["To", "Cc", "subject", "DATE", "Sender", "Reply-To", "X-A", "Received", "List-Id"]),
    st.text("abcXYZ-019", min_size=1, max_size=20).map(lambda text: f"X-{text}"),
)
VALUES = st.lists(
    st.one_of(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
        st.sampled_from(["ü", ":", ";"]),
    ),
    min_size=1,
    max_size=8,
)
SPACES = st.sampled_from([" ", "  ", "\t", "\r\n ", "\r\n\t \t"])
LINES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126)).map(str.encode),
    st.sampled_from([b"", b" ", b"\t", b"a \t b", b". ", b"trailing  ", "naïve".encode(), b"\xff\xfe"]),
)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    fields = [b"From: a@example.com\r\n"]
    for name, words in draw(st.lists(st.tuples(FIELD_NAMES, VALUES), max_size=8)):
        text = "".join(draw(SPACES) + word for word in words)
        fields.append(f"{name}:{text}\r\n".encode())
    return b"".join(draw(st.permutations(fields)))


def signed(keys: tuple[SigningKey, ...], header: bytes = HEADER, body: bytes = BODY) -> bytes:
    return sign(header, body, keys, DKIM_HEADERS, DKIM_OVERSIGN_HEADERS, NOW) + header + b"\r\n" + body


def tags(field: str) -> dict[str, str]:
    value = field.partition(":")[2]
    return {
        name.strip(): "".join(text.split())
        for name, _, text in (tag.partition("=") for tag in value.split(";"))
    }


def fields_of(signatures: bytes) -> list[str]:
    return re.split(r"\r\n(?![ \t])", signatures.decode())[:-1]


# -- what verifiers say


def test_dkimpy_takes_both_signatures(keys, verify) -> None:
    assert verify(signed(keys)) == [True, True]


@settings(max_examples=60)
@given(header=headers(), lines=st.lists(LINES, max_size=8), end=st.sampled_from([b"", b"\r\n"]))
def test_dkimpy_takes_any_message(keys, verify, header: bytes, lines: list[bytes], end: bytes) -> None:
    body = b"".join(line + b"\r\n" for line in lines) + end
    assert verify(signed(keys, header, body)) == [True, True]


BODIES = {
    "usual": BODY,
    "none": b"",
    "one empty line": b"\r\n",
    "blanks only": b" \t\r\n\r\n",
    "blanks everywhere": b"  two  \tthree \r\n\r\n",
    "large": b"text\r\n" * 30_000,
    "eight bits": "ä\r\n".encode(),
}


@pytest.mark.peer
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_opendkim_takes_both_signatures(keys, records, body: bytes) -> None:
    assert verdict(signed(keys, body=body), records) == {"rsa-sha256": "pass", "ed25519-sha256": "pass"}


@pytest.mark.peer
def test_opendkim_takes_names_in_any_case(keys, records) -> None:
    header = HEADER.replace(b"Subject:", b"SUBJECT:").replace(b"To: ", b"to:")
    assert verdict(signed(keys, header), records) == {"rsa-sha256": "pass", "ed25519-sha256": "pass"}


@pytest.mark.peer
@pytest.mark.parametrize(
    ("old", "new"),
    [(b"this is", b"this was"), (b"Subject: hello", b"Subject: hallo"), (b"X-Other", b"Reply-To")],
)
def test_opendkim_sees_a_change(keys, records, old: bytes, new: bytes) -> None:
    changed = signed(keys).replace(old, new)
    assert verdict(changed, records) == {"rsa-sha256": "fail", "ed25519-sha256": "fail"}


# -- what a signature covers

HARMLESS = {
    "a field that is not signed": (b"X-Other: not signed", b"X-Other: changed"),
    "white space in the body": (b"  this is   text.\t\r\n", b" this  is text. \r\n"),
    "lines at the end": (b".dot\r\n\r\n", b".dot\r\n\r\n\r\n\r\n"),
    "folding": (b"To: one@far.test,\r\n  two", b"to:   one@far.test,\r\n\t\t two"),
    "a field on top": (b"Received: from a", b"Received: from nearer\r\nReceived: from a"),
    "a Sender that was not there": (b"X-Other:", b"Sender: list@far.test\r\nX-Other:"),
    "MIME fields that were not there": (
        b"X-Other:",
        b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nX-Other:",
    ),
}
HARMFUL = {
    "a signed field": (b"Subject: hello", b"Subject: hallo"),
    "a signed field taken out": (b"Subject: hello   there\r\n", b""),
    "a second From": (b"\r\nFrom:", b"\r\nFrom: other@evil.test\r\nFrom:"),
    "a second From at the end": (b"X-Other:", b"From: other@evil.test\r\nX-Other:"),
    "a second Subject": (b"X-Other:", b"Subject: other\r\nX-Other:"),
    "a field that was not there": (b"X-Other:", b"Reply-To: other@evil.test\r\nX-Other:"),
    "a word of the body": (b"this", b"that"),
    "a blank that parts words": (b"is   text", b"istext"),
    "text at the end": (b".dot\r\n", b".dot\r\nmore\r\n"),
    "a line less": (b".\r\n.dot", b".dot"),
    "the time of the signature": (b"t=1790000000", b"t=1790000001"),
    "the hash of the body": (b"bh=", b"bh=A"),
}


@pytest.mark.parametrize(("old", "new"), HARMLESS.values(), ids=HARMLESS)
def test_what_relays_do_keeps_signatures_good(keys, verify, old: bytes, new: bytes) -> None:
    message = signed(keys)
    assert old in message
    assert verify(message.replace(old, new, 1)) == [True, True]


@pytest.mark.parametrize(("old", "new"), HARMFUL.values(), ids=HARMFUL)
def test_any_other_change_is_seen(keys, verify, old: bytes, new: bytes) -> None:
    message = signed(keys)
    assert old in message
    assert verify(message.replace(old, new)) == [False, False]


@pytest.mark.parametrize("field", [b"Sender: a@b.test", b"MIME-Version: 1.0", b"Content-Type: text/plain"])
def test_of_fields_that_others_may_add_no_second_one_is_good(keys, verify, field: bytes) -> None:
    message = signed(keys, HEADER + field + b"\r\n")
    assert verify(message) == [True, True]
    name = field.partition(b":")[0]
    assert verify(message.replace(field, name + b": other\r\n" + field)) == [False, False]


def test_fields_are_covered_as_often_as_they_stand_there_and_once_more(keys) -> None:
    header = b"From: a@example.com\r\nTo: b@far.test\r\nComments: 1\r\nComments: 2\r\n"
    [field, _] = fields_of(sign(header, BODY, keys, ("From", "To", "Comments"), ("From", "Subject"), NOW))
    assert tags(field)["h"] == "From:From:To:Comments:Comments:Subject"


def test_of_fields_with_one_name_the_order_counts(keys, verify) -> None:
    header = b"From: a@example.com\r\nComments: 1\r\nComments: 2\r\n"
    message = sign(header, BODY, keys, ("Comments",), (), NOW) + header + b"\r\n" + BODY
    assert verify(message) == [True, True]
    turned = message.replace(b"Comments: 1\r\nComments: 2", b"Comments: 2\r\nComments: 1")
    assert verify(turned) == [False, False]


@given(
    headers(), st.sampled_from([b"", b"a line without colon\r\n", b" a fold of nothing\r\n", b"To : old\r\n"])
)
def test_line_ends_of_a_header_do_not_matter(keys, header: bytes, odd: bytes) -> None:
    """A lone LF, where it is let through, is a line end to the receiver as well."""
    key = keys[:1]  # Ed25519 signatures are the same each time
    lone = sign((odd + header).replace(b"\r\n", b"\n"), BODY, key, DKIM_HEADERS, DKIM_OVERSIGN_HEADERS, NOW)
    plain = sign(odd + header, BODY, key, DKIM_HEADERS, DKIM_OVERSIGN_HEADERS, NOW)
    [of_lone], [of_plain] = fields_of(lone), fields_of(plain)
    assert tags(of_lone)["h"] == tags(of_plain)["h"]


def test_from_is_always_covered_and_other_signatures_never(keys) -> None:
    header = b"DKIM-Signature: v=1; old\r\nFrom: a@example.com\r\n"
    for field in fields_of(sign(header, BODY, keys, ("DKIM-Signature",), (), NOW)):
        assert tags(field)["h"] == "From"


def test_a_message_without_from_is_signed_as_such(keys) -> None:
    header = b"Subject: hello\r\n"
    signatures = sign(header, BODY, keys, (), (), NOW)
    assert [tags(field)["h"] for field in fields_of(signatures)] == ["From", "From"]


# -- how a signature is written


def test_tags_are_those_that_are_needed_and_rsa_comes_first(keys) -> None:
    rsa, edwards = map(tags, fields_of(sign(HEADER, BODY, keys, DKIM_HEADERS, DKIM_OVERSIGN_HEADERS, NOW)))
    assert list(rsa) == list(edwards) == ["v", "a", "c", "t", "d", "s", "h", "bh", "b"]
    assert (rsa["v"], rsa["a"], rsa["c"], rsa["t"]) == ("1", "rsa-sha256", "relaxed/relaxed", "1790000000")
    assert (rsa["d"], rsa["s"]) == ("example.com", "r1")
    assert (edwards["a"], edwards["s"]) == ("ed25519-sha256", "e1")
    assert (len(b64decode(rsa["b"])), len(b64decode(edwards["b"]))) == (256, 64)
    assert rsa["bh"] == edwards["bh"]


@given(
    names=st.lists(st.text("abcdefgh-", min_size=1, max_size=30), max_size=60),
    labels=st.lists(st.text("abc", min_size=1, max_size=20), min_size=1, max_size=3),
    selector=st.text("abc1", min_size=1, max_size=30),
)
def test_lines_are_short(names: list[str], labels: list[str], selector: str) -> None:
    key = SigningKey(".".join(labels), selector, "ed25519", Ed25519PrivateKey.generate())
    field = sign(HEADER, BODY, (key,), tuple(names), tuple(names), NOW)
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert field.endswith(b"\r\n")
    assert all(line[:1] == b"\t" for line in field.split(b"\r\n")[1:-1])


# -- keys


def der(private) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_a_key_is_read_from_pkcs_8(keys, verify) -> None:
    read = tuple(SigningKey.load(key.domain, key.selector, key.algorithm, der(key.private)) for key in keys)
    assert verify(signed(read)) == [True, True]


def test_a_key_that_cannot_sign_says_why() -> None:
    with pytest.raises(KeyUnusable, match=r"k1 of example\.com is no private key in PKCS #8 DER"):
        SigningKey.load("example.com", "k1", "rsa", b"junk")
    with pytest.raises(KeyUnusable, match="not of the kind rsa"):
        SigningKey.load("example.com", "k1", "rsa", der(Ed25519PrivateKey.generate()))
