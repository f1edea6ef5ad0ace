"""What somebody who was let in may do: pure functions, as tables."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from angarium.core.options import NO_OPTIONS, Options
from angarium.core.records import BULK, TRANSACTIONAL
from angarium.dialects.table import sentence_of
from angarium.identity.limits import NO_LIMITS, Limits, Rate
from angarium.identity.principal import (
    Principal,
    allows_peer,
    domain_problem,
    may_send,
    options_for,
    principal_of_credential,
    principal_of_person,
    refuses,
    stream_of,
    stream_problem,
)
from angarium.identity.records import Account, Credential, Kind, Person, Server, Stream
from angarium.identity.usage.buckets import Bucket, Exceeded
from angarium.submission.replies import closing, reply_to

NOW = 1_000_000.0

ACME = Account(1, "acme", 0.0)
SHOP = Server(7, 1, "shop", 0.0)
STREAMS = MappingProxyType(
    {
        "outbound": Stream("outbound", 7, "Outbound", "transactional", 0.0),
        "broadcast": Stream("broadcast", 7, "Broadcast", "broadcast", 0.0),
        "receipts": Stream(
            "receipts", 7, "Receipts", "transactional", 0.0, options=Options(track_opens=True)
        ),
        "old": Stream("old", 7, "Old", "transactional", 0.0, archived_at=5.0),
    }
)
LOGIN = Principal("smtp_login", 3, 'login 3 "news"', ACME, SHOP, STREAMS, grants=frozenset({"smtp/inject"}))
HOMELESS = replace(LOGIN, server=None, streams=MappingProxyType({}))


def limited(account: Limits = NO_LIMITS, server: Limits = NO_LIMITS) -> Principal:
    return replace(
        LOGIN,
        account=Account(1, "acme", 0.0, limits=account),
        server=Server(7, 1, "shop", 0.0, limits=server),
    )


@pytest.mark.parametrize(
    ("principal", "reason"),
    [
        (LOGIN, None),
        (HOMELESS, None),
        (replace(LOGIN, enabled=False), "disabled"),
        (replace(LOGIN, expires_at=NOW), "expired"),
        (replace(LOGIN, expires_at=NOW + 1), None),
        (replace(LOGIN, account=Account(1, "acme", 0.0, suspended=True)), "suspended"),
        (replace(LOGIN, server=Server(7, 1, "shop", 0.0, suspended=True)), "suspended"),
        (replace(LOGIN, server=Server(7, 1, "shop", 0.0, smtp=False)), "smtp_off"),
        (replace(LOGIN, grants=frozenset({"metrics/view"})), "grant"),
    ],
)
def test_who_may_send(principal: Principal, reason: str | None) -> None:
    assert may_send(principal, NOW) == reason
    refusal = refuses(principal, NOW)
    if reason is None:
        assert refusal is None
    else:
        assert refusal is not None
        reply = reply_to(refusal)
        assert (reply.code, reply.enhanced) == (535, "5.7.8")


@pytest.mark.parametrize(
    ("principal", "sentence"),
    [
        (replace(LOGIN, enabled=False), "this login is disabled; enable it or use another"),
        (replace(LOGIN, expires_at=1.0, kind="api_key"), "this API key has expired; make a new one"),
        (
            replace(LOGIN, account=Account(1, "acme", 0.0, suspended=True)),
            "account acme is suspended; ask whoever runs this service",
        ),
        (
            replace(LOGIN, server=Server(7, 1, "shop", 0.0, suspended=True)),
            "server shop is suspended; ask whoever runs this service",
        ),
        (
            replace(LOGIN, grants=frozenset(), kind="api_key"),
            "this API key lacks the grant 'smtp/inject'; add it or use another",
        ),
    ],
)
def test_a_refusal_says_what_to_do(principal: Principal, sentence: str) -> None:
    refusal = refuses(principal, NOW)
    assert refusal is not None
    assert sentence_of(refusal) == sentence


@pytest.mark.parametrize(
    ("networks", "peer", "allowed"),
    [
        ((), "192.0.2.1", True),
        ((), "", True),
        (("192.0.2.0/24",), "192.0.2.1", True),
        (("192.0.2.0/24",), "192.0.3.1", False),
        (("192.0.2.0/24", "2001:db8::/32"), "2001:db8::1", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", True),
        (("192.0.2.0/24",), "", False),
    ],
)
def test_networks_say_where_it_may_be_used_from(networks: tuple[str, ...], peer: str, allowed: bool) -> None:
    assert allows_peer(replace(LOGIN, networks=networks), peer) is allowed


@pytest.mark.parametrize(
    ("bound", "wanted", "stream", "problem"),
    [
        (None, None, "outbound", None),
        (None, "broadcast", "broadcast", None),
        ("receipts", None, "receipts", None),
        ("receipts", "receipts", "receipts", None),
        (
            "receipts",
            "outbound",
            "receipts",
            "this login sends in stream 'receipts' only, not in 'outbound': name no stream",
        ),
        (None, "nope", "nope", "there is no stream 'nope': use one of broadcast, outbound, receipts"),
        (
            None,
            "old",
            "old",
            "stream 'old' is archived: unarchive it, or use one of broadcast, outbound, receipts",
        ),
        (
            "old",
            None,
            "old",
            "stream 'old' is archived: unarchive it, or use one of broadcast, outbound, receipts",
        ),
        (None, "a\r\nb", "a\r\nb", r"there is no stream 'a\r\nb': use one of broadcast, outbound, receipts"),
    ],
)
def test_the_stream_is_the_bound_one_else_the_messages_else_the_default(
    bound: str | None, wanted: str | None, stream: str, problem: str | None
) -> None:
    principal = replace(LOGIN, stream=bound)
    assert stream_of(principal, wanted) == stream
    found = stream_problem(principal, wanted)
    assert (sentence_of(found) if found else None) == problem
    assert options_for(principal, Options(stream=wanted)).stream == stream


def test_an_account_without_servers_has_no_streams() -> None:
    assert stream_of(HOMELESS, None) is None
    assert stream_problem(HOMELESS, None) is None
    assert options_for(HOMELESS, NO_OPTIONS) == NO_OPTIONS
    problem = stream_problem(HOMELESS, "news")
    assert problem is not None
    assert sentence_of(problem) == "there is no stream 'news': make a server first, its streams come with it"


def test_options_are_the_headers_over_login_over_stream_over_server_over_account() -> None:
    said = [Options(campaign=name) for name in ("header", "login", "stream", "server", "account")]
    for first in range(6):
        header, login, stream, server, account = [NO_OPTIONS] * first + said[first:]
        principal = replace(
            LOGIN,
            options=login,
            streams={"outbound": Stream("outbound", 7, "", "transactional", 0.0, options=stream)},
            server=Server(7, 1, "shop", 0.0, options=server),
            account=Account(1, "acme", 0.0, options=account),
        )
        expected = [*said, NO_OPTIONS][first].campaign
        assert options_for(principal, header).campaign == expected


@pytest.mark.parametrize(
    ("stream", "server_lane", "header_lane", "lane"),
    [
        ("outbound", None, None, None),
        ("broadcast", None, None, BULK),
        ("broadcast", TRANSACTIONAL, None, BULK),
        ("broadcast", None, TRANSACTIONAL, TRANSACTIONAL),
        ("outbound", BULK, None, BULK),
    ],
)
def test_a_broadcast_is_bulk_mail_unless_the_message_says_otherwise(
    stream: str, server_lane: int | None, header_lane: int | None, lane: int | None
) -> None:
    principal = replace(LOGIN, server=Server(7, 1, "shop", 0.0, options=Options(lane=server_lane)))
    assert options_for(principal, Options(stream=stream, lane=header_lane)).lane == lane


@pytest.mark.parametrize(
    ("account", "server", "domain", "text"),
    [
        (None, None, "anything.test", None),
        ("any", None, "", None),
        ("verified", None, "acme.test", None),
        (None, "verified", "acme.test", None),
        (
            "verified",
            None,
            "other.test",
            "account acme may not send from other.test: verify that domain first "
            "(angarium domains add other.test, angarium domains verify other.test)",
        ),
        ("verified", None, "sub.acme.test", "account acme may not send from sub.acme.test"),
        ("verified", "any", "other.test", "account acme may not send from other.test"),
        ("any", "verified", "other.test", "account acme may not send from other.test"),
        (
            "verified",
            None,
            "",
            "the From field names no domain: write From with one of your verified domains",
        ),
    ],
)
def test_verified_domains_bind_as_soon_as_account_or_server_says_so(
    account: str | None, server: str | None, domain: str, text: str | None
) -> None:
    principal = replace(
        limited(Limits(sender_domains=account), Limits(sender_domains=server)),  # type: ignore[arg-type]
        verified_domains=frozenset({"acme.test"}),
    )
    problem = domain_problem(principal, domain)
    if text is None:
        assert problem is None
    else:
        assert problem is not None
        reply = reply_to(problem)
        assert (reply.code, reply.enhanced) == (550, "5.7.1")
        assert reply.text.startswith(text)


def test_the_smaller_of_the_accounts_and_the_servers_bounds_holds() -> None:
    principal = limited(Limits(max_recipients=50, max_message_size=10), Limits(max_recipients=100))
    assert (principal.max_recipients, principal.max_message_size) == (50, 10)
    assert (LOGIN.max_recipients, LOGIN.max_message_size) == (None, None)


def test_what_is_counted_is_one_bucket_for_each_window_of_account_and_server() -> None:
    principal = limited(Limits(Rate(10, 60), daily_quota=1000), Limits(Rate(700, 86_400), daily_quota=500))
    assert principal.buckets == (
        Bucket("account:1", 60, 10, "account acme"),
        Bucket("account:1", 86_400, 1000, "account acme"),
        Bucket("server:7", 86_400, 500, "server shop"),
    )
    assert LOGIN.buckets == ()


@pytest.mark.parametrize(
    ("bucket", "wanted", "reply"),
    [
        (
            Bucket("account:1", 86_400, 1000, "account acme"),
            1,
            "450 4.7.1 account acme may send to 1000 recipients a day and has; send again after 2026-11-22T00:00:00Z",
        ),
        (
            Bucket("server:7", 90, 5, "server shop"),
            2,
            "450 4.7.1 server shop may send to 5 recipients in 90 seconds and has; "
            "send again after 2026-11-22T00:00:00Z",
        ),
        (
            Bucket("server:7", 60, 5, "server shop"),
            6,
            "450 4.7.1 server shop may send to 5 recipients a minute, fewer than these 6; send to fewer at once",
        ),
    ],
)
def test_over_the_limit_the_reply_says_which_and_until_when(bucket: Bucket, wanted: int, reply: str) -> None:
    exceeded = Exceeded(bucket, wanted, 1_795_305_599.5)
    assert str(reply_to(exceeded.problem)) == reply
    assert str(closing(exceeded.problem)) == reply.replace("450", "421")


@pytest.mark.parametrize("kind", ["api_key", "server_token", "smtp_token", "smtp_login"])
def test_only_an_api_key_needs_the_grant(kind: Kind) -> None:
    credential = Credential(9, kind, 1, "deploy", 0.0)
    principal = principal_of_credential(
        credential, ACME, SHOP, STREAMS, grants=frozenset(), verified_domains=frozenset()
    )
    assert (may_send(principal, NOW) is None) == (kind != "api_key")
    assert principal.name.endswith(' 9 "deploy"')


def test_a_person_sends_with_every_optional_feature_off_unless_the_message_switches_it_on() -> None:
    person = Person(4, 1, "ann@acme.test", "Ann", 0.0)
    principal = principal_of_person(
        person, ACME, SHOP, STREAMS, password="hash", verified_domains=frozenset()
    )
    options = options_for(principal, Options(stream="receipts"))
    assert (options.track_opens, options.track_links, options.inline_css) == (False, "none", False)
    assert (options.track_bounces, options.prevent_scam, options.host_images) == (False, False, False)
    assert options_for(principal, Options(track_opens=True)).track_opens is True


def test_another_password_is_another_stamp_and_no_secret_is_shown() -> None:
    person = Person(4, 1, "ann@acme.test", "Ann", 0.0)
    first, second = (
        principal_of_person(person, ACME, None, {}, password=password, verified_domains=frozenset())
        for password in ("$argon2id$one", "$argon2id$two")
    )
    assert first.stamp != second.stamp
    assert "argon2id" not in repr(first)
    assert repr(first.stamp) not in repr(first)
