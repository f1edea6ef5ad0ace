"""`X-MSYS-API`: one JSON object in a field, and what is wrong with some."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.options import Options
from angarium.mime.header import HeaderBlock, cut
from angarium.mime.words import encode_words
from angarium.submission.replies import reply_to
from angarium.testing.dialects import Asked, read_options


def read(value: str | bytes) -> Asked:
    data = value.encode() if isinstance(value, str) else value
    return read_options(HeaderBlock.scan(b"X-MSYS-API: " + data + b"\r\nSubject: x\r\n\r\nbody\r\n"))


def said(value: Any) -> Asked:
    found = read(json.dumps(value))
    assert found.problems == ()
    return found


def problem(value: str | bytes | dict[str, Any]) -> str:
    (only,) = read(json.dumps(value) if isinstance(value, dict) else value).problems
    assert only.dialect == "sparkpost"
    return f"{only.reason.label}: {reply_to(only)}"


@pytest.mark.parametrize("value", ["", " ", "\r\n\t", "\r\nX-MSYS-API: \r\n "])
def test_an_empty_field_says_nothing(value: str) -> None:
    found = read(value)
    assert (found.options, found.problems) == (Options(), ())
    assert found.spans
    assert read(f"{value}\r\nX-MSYS-API: {json.dumps({'campaign_id': 'june'})}").options.campaign == "june"


def test_everything_it_may_say() -> None:
    options = {
        "open_tracking": True,
        "click_tracking": False,
        "transactional": True,
        "skip_suppression": False,
        "ip_pool": "warm",
        "inline_css": True,
        "dkim_key": "s1",
    }
    value = {
        "campaign_id": "june",
        "metadata": {"user": 7, "deep": {"list": [1, None, "x"]}},
        "tags": ["a", "b", "a"],
        "options": options,
        "substitution_data": {"ignored": True},
    }
    assert said(value).options == Options(
        tags=("a", "b"),
        metadata={"user": 7, "deep": {"list": [1, None, "x"]}},
        campaign="june",
        binding="warm",
        dkim_key="s1",
        transactional=True,
        skip_suppression=False,
        track_opens=True,
        track_links="none",
        inline_css=True,
    )


def test_null_is_as_good_as_nothing() -> None:
    assert (
        said({"campaign_id": None, "tags": None, "options": {"open_tracking": None}, "cc": None}).options
        == Options()
    )


def test_copies_are_strings_or_objects() -> None:
    value = {
        "cc": ["a@example.com", {"email": "b@example.com", "name": "Bee"}],
        "bcc": ["C <c@Example.COM>"],
        "archive": [],
    }
    found = said(value)
    assert [tuple(copy) for copy in found.cc] == [
        ("", "a@example.com", "example.com"),
        ("Bee", "b@example.com", "example.com"),
    ]
    assert [tuple(copy) for copy in found.bcc] == [("C", "c@example.com", "example.com")]
    assert found.archive == ()


@pytest.mark.parametrize(
    ("written", "address", "domain"),
    [
        ("a@bücher.example", "a@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ('"a b"@example.com', '"a b"@example.com', "example.com"),
        ("a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
    ],
)
def test_addresses_of_copies_are_those_that_smtp_takes(written: str, address: str, domain: str) -> None:
    (copy,) = said({"cc": [written]}).cc
    assert (copy.address, copy.domain) == (address, domain)


def test_tags_beyond_the_tenth_are_ignored() -> None:
    assert said({"tags": [str(n) for n in range(12)]}).options.tags == tuple(str(n) for n in range(10))


@pytest.mark.parametrize(
    "value",
    [
        '{"campaign_id":\r\n "gr\\u00fcn",\r\n\t"tags": ["x y"]}',  # folded at blanks, escaped
        '{"campaign_id": "=?utf-8?q?gr=C3=BCn?=", "tags": ["x y"]}',
        '{"campaign_id": "grün", "tags": ["x y"]}',  # raw UTF-8
        '{"campaign_id": "grün", "tags": ["x\r\n   y"]}',  # folded inside a string: one blank remains
        # one word from end to end, as mail libraries make it
        "=?utf-8?b?eyJjYW1wYWlnbl9pZCI6ICJnciJ9?=".replace(
            "eyJjYW1wYWlnbl9pZCI6ICJnciJ9", "eyJjYW1wYWlnbl9pZCI6ICJncsO8biIsICJ0YWdzIjogWyJ4IHkiXX0="
        ),
    ],
)
def test_folding_and_encoding_make_no_difference(value: str) -> None:
    found = read(value)
    assert found.problems == ()
    assert found.options == Options(campaign="grün", tags=("x y",))


def test_a_value_that_a_library_encoded_whole_is_read_in_however_many_words() -> None:
    """Nodemailer does so with every value that has a quotation mark in it."""
    inner = "=?utf-8?q?x=22=2C_=22cc=22=3A_=5B=22evil=40evil=2Etest=22=5D=2C_=22y=22=3A_=22z?="
    found = read(encode_words(json.dumps({"campaign_id": "grün", "metadata": {"name": inner}})))
    assert (found.problems, found.options.campaign, found.cc) == ((), "grün", ())


@pytest.mark.parametrize(
    "value",
    [
        "=?utf-8?b?eyJjYW1wYWlnbl9pZCI6?= =?utf-8?q?=22a=22}?=",  # two encodings are two writers
        "=?utf-8?b?eyJjYW1wYWlnbl9pZCI6?= =?utf-7?b?ImEifQ==?=",
        '{"campaign_id": =?utf-8?q?=22a=22?=}',
        '=?utf-8?b?eyJjYW1wYWlnbl9pZCI6?= "a"}',
    ],
)
def test_words_that_are_not_all_of_one_make_an_unreadable_value(value: str) -> None:
    assert problem(value).startswith("json: 550 5.6.0 JSON parsing error in X-MSYS-API: ")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ('{"campaign_id": "a",}', "json: 550 5.6.0 JSON parsing error in X-MSYS-API: "),
        ("[1]", "json: 550 5.6.0 JSON parsing error in X-MSYS-API: it must be one object"),
        ("[" * 5000, "json: 550 5.6.0 JSON parsing error in X-MSYS-API: "),
        (b'{"tags": ["\xff', "json: 550 5.6.0 JSON parsing error in X-MSYS-API: "),
        ({"metadata": "x"}, "metadata: 550 5.6.0 X-MSYS-API 'metadata' must be of type 'json object'"),
        ({"tags": "x"}, "option_syntax: 550 5.6.0 X-MSYS-API 'tags' must be of type 'json array'"),
        ({"tags": [1]}, "option_syntax: 550 5.6.0 X-MSYS-API 'tags[]' must be of type 'json string'"),
        (
            {"campaign_id": 1},
            "option_syntax: 550 5.6.0 X-MSYS-API 'campaign_id' must be of type 'json string'",
        ),
        ({"options": []}, "option_syntax: 550 5.6.0 X-MSYS-API 'options' must be of type 'json object'"),
        (
            {"options": {"open_tracking": "true"}},
            "option_syntax: 550 5.6.0 X-MSYS-API 'options.open_tracking' must be of type 'json boolean'",
        ),
        (
            {"campaign_id": "ü" * 33},
            "option_limit: 550 5.6.0 X-MSYS-API 'campaign_id' is limited to 64 bytes; this one has 66",
        ),
        (
            {"metadata": {"k": "v" * 10_240}},
            "metadata: 550 5.6.0 X-MSYS-API 'metadata' is limited to 10240 bytes of JSON; this has 10248",
        ),
        (
            {"metadata": {"k": 2**64}},
            "metadata: 550 5.6.0 X-MSYS-API 'metadata' has a number beyond 64 bits; write it as a string",
        ),
        (
            {"metadata": {"k": json.loads("[" * 30 + "]" * 30)}},
            "metadata: 550 5.6.0 X-MSYS-API 'metadata' may be nested 20 levels deep",
        ),
        (
            {"cc": ["a@example.com\r\nBcc: b@example.com"]},
            "option_syntax: 550 5.6.0 X-MSYS-API 'cc' has 'a@example.com??Bcc: b@example.com', which is not one "
            "e-mail address",
        ),
        ({"cc": "a@example.com"}, "option_syntax: 550 5.6.0 X-MSYS-API 'cc' must be of type 'json array'"),
        (
            {"bcc": [{"name": "x"}]},
            "option_syntax: 550 5.6.0 X-MSYS-API 'bcc[]' must be of type 'json string'",
        ),
        (
            {"cc": ["nobody"]},
            "option_syntax: 550 5.6.0 X-MSYS-API 'cc' has 'nobody', which is not one e-mail address",
        ),
        (
            {"cc": ["a@example.com, b@example.com"]},
            "option_syntax: 550 5.6.0 X-MSYS-API 'cc' has 'a@example.com, b@example.com', which is not one e-mail",
        ),
        (
            {"archive": ["ü@example.com"]},
            "option_syntax: 550 5.6.0 X-MSYS-API 'archive' has '?@example.com': an address beyond ASCII needs SMTPUTF8",
        ),
        (
            {"bcc": [f"a{n}@example.com" for n in range(1001)]},
            "option_limit: 550 5.6.0 X-MSYS-API may name 1000 addresses in 'cc', 'bcc' and 'archive' together, ",
        ),
    ],
)
def test_what_cannot_be_obeyed(value: str | bytes | dict[str, Any], sentence: str) -> None:
    assert problem(value).startswith(sentence)


INJECTED = "=?utf-8?Q?x=22=7D=2C=22bcc=22=3A=5B=22evil=40far=2Etest=22=5D=2C=22z=22=3A=7B=22q=22=3A=22?="
"""`x"},"bcc":["evil@far.test"],"z":{"q":"` as an encoded word: what a customer may give as his name."""
MEANT = 'x"},"bcc":["evil@far.test"],"z":{"q":"'


def test_text_in_a_string_stays_in_it() -> None:
    found = said({"metadata": {"name": INJECTED, INJECTED: ["b"]}, "campaign_id": "c", "tags": [INJECTED]})
    assert found.problems == ()
    assert (found.cc, found.bcc, found.archive) == ((), (), ())
    assert found.options == Options(campaign="c", tags=(MEANT,), metadata={"name": MEANT, MEANT: ["b"]})


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from("qb"))
def test_whatever_a_customer_writes_is_metadata(text: str, encoding: str) -> None:
    word = encode_words(text).replace("\r\n", "") if encoding == "b" else _quoted(text)
    found = said({"metadata": {"name": word}, "bcc": ["b@example.com"]})
    assert found.problems == ()
    assert found.options.metadata == {"name": text}
    assert [copy.address for copy in found.bcc] == ["b@example.com"]


def _quoted(text: str) -> str:
    return f"=?utf-8?q?{''.join(f'={octet:02X}' for octet in text.encode())}?=" if text else ""


@pytest.mark.parametrize(
    "value",
    [
        f'{{"metadata": {INJECTED}}}',
        # words of which a program made some and a customer another: nobody can tell which
        "=?utf-8?q?=7B=22metadata=22=3A=7B=22n=22=3A=22=C3=BC?= " + INJECTED + " =?utf-8?q?=C3=BC=22=7D=7D?=",
    ],
)
def test_words_outside_of_strings_are_no_json(value: str) -> None:
    assert problem(value).startswith("json: 550 5.6.0 JSON parsing error in X-MSYS-API: ")
    assert "encoded words may stand in its strings only, better write \\uXXXX" in problem(value)


def test_an_address_is_read_before_the_words_in_its_name() -> None:
    (copy,) = said({"bcc": ["=?utf-8?q?=3Cevil=40far.test=3E=2C?= <b@example.com>"]}).bcc
    assert copy == ("<evil@far.test>,", "b@example.com", "example.com")
    value = {"bcc": ["=?utf-8?q?evil=40far.test=2C?="]}
    assert "which is not one e-mail address" in problem(value)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            {"metadata": {"k": [1] * 20_000}},
            "metadata: 550 5.6.0 X-MSYS-API 'metadata' is limited to 10240 bytes",
        ),
        ({"tags": ["t"] * 20_000}, ""),
        ({"cc": ["a@b.test"] * 10_000}, "option_limit: 550 5.6.0 X-MSYS-API may name 1000 addresses"),
        ({"cc": ["a@b.test," * 10_000]}, "option_syntax: 550 5.6.0 X-MSYS-API 'cc' has 'a@b.test,a@b.test,"),
        ("[" * 100_000, "json: 550 5.6.0 JSON parsing error in X-MSYS-API: it is nested too deeply"),
        (
            {"tags": ["t" * 131_072]},
            "option_limit: 550 5.6.0 the option fields X-PM-, x-smtpeter- and X-MSYS-API of",
        ),
    ],
)
def test_too_much_is_not_read(value: str | dict[str, Any], sentence: str) -> None:
    found = read(json.dumps(value) if isinstance(value, dict) else value)
    reasons = [f"{problem.reason.label}: {reply_to(problem)}" for problem in found.problems]
    assert [reason[: len(sentence)] for reason in reasons] == ([sentence] if sentence else [])


def test_it_may_stand_there_once() -> None:
    found = read_options(HeaderBlock.scan(b"X-MSYS-API: {}\r\nX-MSYS-API: {}\r\n\r\n"))
    assert [reply_to(problem).text for problem in found.problems] == [
        "X-MSYS-API may stand in a message once; put all into one JSON object"
    ]


def test_whatever_begins_so_is_taken_out() -> None:
    text = b"X-MSYS-API: {\r\n }\r\nA: b\r\nX-MSYS-API-More: x\r\n\r\nX-MSYS-API: in the body\r\n"
    found = read_options(HeaderBlock.scan(text))
    assert cut(text, found.spans) == b"A: b\r\n\r\nX-MSYS-API: in the body\r\n"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
names = st.sampled_from(["campaign_id", "metadata", "tags", "options", "cc", "bcc", "archive", "other"])


@given(st.dictionaries(names, json_values).map(json.dumps).map(str.encode) | st.binary())
def test_nothing_is_too_odd_to_be_answered(value: bytes) -> None:
    found = read(value.replace(b"\r", b"").replace(b"\n", b""))
    for problem in found.problems:
        assert reply_to(problem).encode().isascii()
        assert reply_to(problem).encode().count(b"\r\n") == 1


def test_dialects_go_together_postmark_before_sparkpost_before_smtpeter() -> None:
    fields = [
        b'X-MSYS-API: {"campaign_id": "c", "tags": ["m"], "options": {"open_tracking": true}}',
        b"x-smtpeter-tags: s",
        b"x-smtpeter-trackopens: false",
        b"x-smtpeter-preventscam: true",
        b"X-PM-Tag: p",
    ]
    found = read_options(HeaderBlock.scan(b"\r\n".join(fields) + b"\r\n\r\n"))
    assert found.options == Options(tags=("p",), campaign="c", track_opens=True, prevent_scam=True)
