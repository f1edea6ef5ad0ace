"""What each field may be, and what is said where it may not. No store: checks are pure."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.options import Options
from angarium.identity import checks
from angarium.identity.grants import GRANTS, implied
from angarium.identity.limits import Limits, Rate, check_limits
from angarium.sql.checks import Check
from angarium.sql.errors import Invalid

NO_LIMIT = "write a number from 1 on, or leave it out for no limit"
SOME_NAME = "write a domain name such as example.com"
SOME_ADDRESS = "write an e-mail address such as jane@example.com"
PLAIN = "write 1 to 30 of a-z, 0-9, - and _, beginning with a letter"
INSTANT = "write an instant between 1970 and the year 10000"
PASSWORD = "write 8 to 1000 characters"


def nested(levels: int) -> dict[str, object]:
    """Objects in each other, so many of them."""
    return {"a": nested(levels - 1)} if levels > 1 else {"a": 1}


@pytest.mark.parametrize(
    ("check", "value", "sentence"),
    [
        (checks.name, "", "field: write a name of 1 to 200 characters"),
        (checks.name, " \t", "field: write a name of 1 to 200 characters"),
        (checks.name, "x" * 201, "field: 201 characters are too many; write 200 at most"),
        (checks.name, "a\nb", "field: write one line without control characters"),
        (checks.name, "17", "field: a number alone would be taken for an id; add a letter"),
        (checks.name, 5, "field: write a text"),
        (checks.flag, "yes", "field: write true or false"),
        (checks.flag, 1, "field: write true or false"),
        (check_limits, {"rate": 1}, "field: write limits"),
        (check_limits, Limits(daily_quota=0), f"field.daily_quota: {NO_LIMIT}"),
        (check_limits, Limits(max_recipients=-5), f"field.max_recipients: {NO_LIMIT}"),
        (
            check_limits,
            Limits(Rate(1, 0)),
            "field.rate.seconds: write 1 to 86400; daily_quota is for whole days",
        ),
        (check_limits, Limits(Rate(-1, 1)), f"field.rate.count: {NO_LIMIT}"),
        (
            check_limits,
            Limits(sender_domains="some"),
            "field: Invalid enum value 'some' - at `$.sender_domains`",
        ),
        (checks.options, {}, "field: write options"),
        (
            checks.options,
            Options(metadata={"a": [{"b": 2**64}]}),
            "field.metadata: a number beyond 64 bits; write it as a text",
        ),
        (
            checks.options,
            Options(metadata={"a": float("nan")}),
            "field.metadata: not a number that JSON knows; write another, or a text",
        ),
        (
            checks.options,
            Options(metadata=nested(20)),
            "field.metadata: nested too deeply; write 20 levels at most",
        ),
        (checks.options, Options(track_links="any"), "field: Invalid enum value 'any' - at `$[13]`"),
        (
            checks.options,
            Options(tags=("x" * 66_000,)),
            "field: 66013 bytes are too many; write 65536 at most",
        ),
        (checks.stream_id, "", f"field: {PLAIN}"),
        (checks.stream_id, "Big", f"field: {PLAIN}"),
        (checks.stream_id, "1st", f"field: {PLAIN}"),
        (checks.stream_id, "news\n", f"field: {PLAIN}"),
        (checks.stream_id, "ümlaut", f"field: {PLAIN}"),
        (checks.stream_id, "x" * 31, f"field: {PLAIN}"),
        (checks.stream_id, "pm-mine", "field: pm- at the beginning is reserved; begin with something else"),
        (checks.email, "", f"field: {SOME_ADDRESS}"),
        (checks.email, "jane", f"field: {SOME_ADDRESS}"),
        (checks.email, "a b@example.com", f"field: {SOME_ADDRESS}"),
        (checks.email, "a@b@example.com", f"field: {SOME_ADDRESS}"),
        (checks.email, ".a@example.com", f"field: {SOME_ADDRESS}"),
        (checks.email, "x" * 65 + "@example.com", f"field: {SOME_ADDRESS}"),
        (checks.email, 5, f"field: {SOME_ADDRESS}"),
        (checks.email, "jane@", f"field: {SOME_NAME}"),
        (checks.email, "jane@[192.0.2.1]", f"field: {SOME_NAME}"),
        (checks.domain, "localhost", f"field: {SOME_NAME}"),
        (checks.domain, "192.0.2.1", f"field: {SOME_NAME}"),
        (checks.domain, "a..example.com", f"field: {SOME_NAME}"),
        (checks.domain, "example.com..", f"field: {SOME_NAME}"),
        (checks.domain, "192.0.2.1..", f"field: {SOME_NAME}"),
        (checks.domain, "under_score.example", f"field: {SOME_NAME}"),
        (checks.domain, "x" * 64 + ".example", f"field: {SOME_NAME}"),
        (checks.domain, ".".join(["x" * 60] * 5), f"field: {SOME_NAME}"),
        (checks.domain, None, f"field: {SOME_NAME}"),
        (
            checks.networks,
            ["10.0.0.0/33"],
            "field: '10.0.0.0/33' is not a network; write 192.0.2.0/24, 2001:db8::/32",
        ),
        (checks.networks, "10.0.0.0/8", "field: write a list of texts"),
        (checks.networks, [167772160], "field: write a list of texts"),
        (
            checks.networks,
            [f"10.0.0.{n}" for n in range(101)],
            "field: 101 networks are too many; write 100 at most",
        ),
        (
            checks.grants,
            [],
            "field: a key without grants may do nothing; write smtp/inject for one that sends by SMTP",
        ),
        (
            checks.grants,
            ["smtp/all"],
            "field: there is no grant 'smtp/all'; write some of ab-testing/manage, ",
        ),
        (checks.grants, None, "field: write a list of texts"),
        (checks.moment, "2026-11-21", f"field: {INSTANT}"),
        (checks.moment, True, f"field: {INSTANT}"),
        (checks.moment, float("nan"), f"field: {INSTANT}"),
        (checks.moment, 1_795_262_400_000.0, f"field: {INSTANT}"),  # milliseconds
        (checks.password, "1234567", f"field: {PASSWORD}"),
        (checks.password, "x" * 1001, f"field: {PASSWORD}"),
        (checks.password, 12345678, f"field: {PASSWORD}"),
        (
            checks.password,
            "long\0enough",
            "field: write it without the character NUL, which no mail program can send",
        ),
    ],
)
def test_what_cannot_be_taken_is_said_with_what_to_write(check: Check, value: object, sentence: str) -> None:
    with pytest.raises(Invalid) as raised:
        check("field", value)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("check", "value", "kept"),
    [
        (checks.name, "  Müller & Söhne ", "Müller & Söhne"),
        (checks.text, "", ""),
        (checks.stream_id, "a", "a"),
        (checks.stream_id, "x-1_" + "y" * 26, "x-1_" + "y" * 26),
        (checks.email, " Jane+Tag@Bücher.Example ", "jane+tag@xn--bcher-kva.example"),
        (checks.email, "o'neill@example.com", "o'neill@example.com"),
        (checks.domain, "BÜCHER.example.", "xn--bcher-kva.example"),
        (checks.domain, "xn--bcher-kva.example", "xn--bcher-kva.example"),
        (checks.domain, "example.com\u3002", "example.com"),
        (checks.email, "jane@example.com.", "jane@example.com"),
        (checks.domain, "faß.example", "xn--fa-hia.example"),
        (checks.networks, [" 10.1.2.3/8", "10.0.0.0/8"], ("10.0.0.0/8",)),
        (checks.networks, ["2001:DB8::1", "192.0.2.1"], ("2001:db8::1/128", "192.0.2.1/32")),
        (checks.networks, (), ()),
        (checks.grants, {"smtp/inject", "account/manage"}, ("account/manage", "smtp/inject")),
        (checks.moment, None, None),
        (checks.moment, 1_795_262_400, 1_795_262_400.0),
        (check_limits, Limits(Rate(1, 86_400), 1, 1, 1, "any"), Limits(Rate(1, 86_400), 1, 1, 1, "any")),
    ],
)
def test_what_is_taken_is_kept_in_one_form(check: Check, value: object, kept: object) -> None:
    assert check("field", value) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("bounces", "bounces.example.com"),
        ("Bounces.Example.Com.", "bounces.example.com"),
        ("a.b", "a.b.example.com"),
        ("_x", "_x.example.com"),
        ("", ""),
    ],
)
def test_a_return_path_is_under_its_domain(value: str, kept: str) -> None:
    assert checks.return_path("return_path", value, "example.com") == kept


@pytest.mark.parametrize("value", ["a b", "-x", "a..b", ".", "x" * 64, "ü", 5])
def test_other_return_paths_are_refused(value: object) -> None:
    with pytest.raises(Invalid, match=r"return_path: write a name under example\.com, such as bounces"):
        checks.return_path("return_path", value, "example.com")


@given(st.ip_addresses(), st.integers(0, 32))
def test_a_network_means_what_was_written(address: object, prefix: int) -> None:
    (kept,) = checks.networks("networks", [f"{address}/{prefix}"])
    network = ipaddress.ip_network(kept)
    assert (address in network, network.prefixlen) == (True, prefix)
    assert checks.networks("networks", [kept]) == (kept,)


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.binary()
)
ALL = [
    *(
        checks.text,
        checks.name,
        checks.description,
        checks.flag,
        checks.stream_id,
        checks.email,
        checks.domain,
    ),
    *(checks.networks, checks.grants, checks.moment, check_limits, checks.options, checks.password),
]


@given(st.sampled_from(ALL), ANYTHING)
def test_a_check_refuses_in_one_way_only_and_keeps_what_it_has_kept(check: Check, value: object) -> None:
    try:
        kept = check("field", value)
    except Invalid:
        return
    assert check("field", kept) == kept


def test_who_may_write_may_read() -> None:
    assert implied(["webhooks/modify", "smtp/inject"]) == {"webhooks/modify", "webhooks/view", "smtp/inject"}
    assert implied(["tracking_domains/manage"]) == {"tracking_domains/manage", "tracking_domains/view"}
    assert implied(["webhooks/view", "api_keys/manage"]) == {"webhooks/view", "api_keys/manage"}
    assert implied(GRANTS) == GRANTS.keys()
    assert all(GRANTS.values())
