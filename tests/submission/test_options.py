"""What the options of a message bring about when it is taken in."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.core.options import NO_OPTIONS, Options
from angarium.core.records import BULK, TRANSACTIONAL
from angarium.identity.limits import Limits
from angarium.identity.principal import Principal
from angarium.identity.records import Account, Stream
from angarium.testing.intake import NOW, STRANGER, IntakeDesk, Taken, a_principal

FROM = b"From: app@example.org\r\nDate: x\r\nMessage-ID: <mine@example.org>\r\n"
BODY = b"Subject: hi\r\n\r\nhello\r\n"
BINDINGS = 'Binding "fast" { } Binding_Group "pool" { Binding "p1" { } Binding "p2" { } }'


def take(folder: Path, text: bytes, config: str = "", **how: Any) -> Taken:
    async def story() -> Taken:
        return await IntakeDesk(folder, config).submit(text, **how)

    return asyncio.run(story())


# --- fields taken out


def test_option_fields_do_not_leave_and_nothing_else_changes(tmp_path: Path) -> None:
    fields = (
        b'X-PM-Tag: a\r\nX-MSYS-API: {"campaign_id":\r\n "c"}\r\nx-smtpeter-tags: t\r\nX-PM-Unknown: u\r\n'
    )
    text = FROM + fields + b"Odd \t: kept\r\n" + BODY
    taken = take(tmp_path, text, principal=a_principal("api_key"))
    assert taken.reply.code == 250
    assert taken.sent == FROM + b"Odd \t: kept\r\n" + BODY
    assert taken.message.options == Options(stream="outbound", tags=("a",), campaign="c")
    assert taken.message.body_size == len(FROM + b"Odd \t: kept\r\n" + BODY)


def test_a_message_without_them_is_stored_as_the_very_object(tmp_path: Path) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path)
        text = FROM + BODY
        taken = await desk.submit(text)
        assert taken.entered[0][1] is text

    asyncio.run(story())


def test_a_relay_host_needs_no_login_for_its_options(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + b"X-PM-Tag: a\r\n" + BODY)
    assert (taken.message.options, taken.message.account) == (Options(tags=("a",)), 0)
    assert taken.sent == FROM + BODY


def test_of_mail_from_elsewhere_they_are_taken_out_unheeded(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + b"X-PM-Tag: a\r\nX-MSYS-API: {broken\r\n" + BODY, peer=STRANGER)
    assert taken.reply.code == 250
    assert taken.message.options == Options(sign=False)
    assert taken.sent == FROM + BODY


def test_what_anybody_may_have_written_is_not_signed(tmp_path: Path) -> None:
    assert take(tmp_path, FROM + BODY, peer=STRANGER).message.options.sign is False
    assert take(tmp_path, FROM + BODY).message.options.sign is None
    assert take(tmp_path, FROM + BODY, peer=STRANGER, principal=a_principal()).message.options.sign is None


def test_eight_bit_is_said_of_what_is_stored(tmp_path: Path) -> None:
    only_there = FROM + "X-PM-Tag: grün\r\n".encode() + BODY
    assert not take(tmp_path, only_there).message.eight_bit
    assert take(tmp_path, only_there + "grün\r\n".encode()).message.eight_bit


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_of_a_large_body_too(tmp_path: Path, pieces: int) -> None:
    filling = b"0123456789\r\n" * 100
    text = FROM + "X-PM-Tag: grün\r\n".encode() + b"Bcc: secret@example.com\r\n" + BODY + filling
    taken = take(tmp_path, text, principal=a_principal("server_token"), pieces=pieces)
    assert taken.reply.code == 250
    body = taken.entered[0][1]
    assert body == b"From: app@example.org\r\nDate: x\r\n" + BODY + filling
    assert taken.message.body_size == len(body)
    assert not taken.message.eight_bit
    assert taken.message.options.tags == ("grün",)


header_lines = st.lists(
    st.sampled_from(
        [
            b"X-PM-Tag: a\r\n",
            b"x-smtpeter-tags: b\r\n\tc\r\n",
            b"Bcc: s@example.com\r\n",
            b"Subject: x\r\n",
            b"A: b\r\n c\r\n",
        ]
    ),
    max_size=6,
)


@given(header_lines, st.integers(1, 60), st.booleans())
@settings(max_examples=40)
def test_in_pieces_or_whole_the_same_is_stored(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], pieces: int, is_known: bool
) -> None:
    folder = tmp_path_factory.mktemp("desk")
    principal = a_principal("smtp_token") if is_known else None
    text = FROM + b"".join(lines) + b"\r\nbody\r\n"
    whole = take(folder, text, principal=principal)
    spilled = take(folder, text, principal=principal, pieces=pieces)
    assert whole.entered[0][1] == spilled.entered[0][1]
    assert whole.message.body_size == spilled.message.body_size


def test_a_large_body_that_is_all_header_is_stored_whole(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + b"X-PM-Tag: a\r\n", pieces=5)
    assert taken.sent == FROM


def test_a_header_beyond_the_limit_is_refused_and_its_file_goes(tmp_path: Path) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path)
        text = FROM + b"X-Long: " + b"x" * 5000 + b"\r\n" + BODY
        taken = await desk.submit(text, pieces=100, max_header_size=1000)
        assert (str(taken.reply), desk.files) == ("552 5.3.4 the header is too large", set())

    asyncio.run(story())


# --- whose options


def test_the_message_goes_before_the_login_the_stream_the_server_and_the_account(tmp_path: Path) -> None:
    stream = Stream("news", 3, "news", "broadcast", NOW, options=Options(tags=("stream",), track_opens=True))
    principal = a_principal(
        stream="news",
        streams={"news": stream},
        options=Options(track_links="all", tags=("login",)),
        account=Account(7, "acme", NOW, options=Options(campaign="account", inline_css=True)),
    )
    taken = take(tmp_path, FROM + b"x-smtpeter-trackclicks: false\r\n" + BODY, principal=principal)
    assert taken.message.options == Options(
        stream="news",
        tags=("login",),
        campaign="account",
        lane=BULK,
        track_opens=True,
        track_links="none",
        inline_css=True,
    )


def test_the_message_knows_whose_it_is(tmp_path: Path) -> None:
    message = take(tmp_path, FROM + BODY, principal=a_principal()).message
    assert (message.account, message.server, message.tenant) == (7, 3, "account-7")
    assert message.login == a_principal().name
    assert message.author_domain == "example.org"


# --- stream, lane


@pytest.mark.parametrize(
    ("fields", "options", "lane"),
    [
        (b"", NO_OPTIONS, TRANSACTIONAL),
        (b"X-PM-Message-Stream: broadcast\r\n", NO_OPTIONS, BULK),
        (b"X-PM-Message-Stream: broadcast\r\n", Options(lane=TRANSACTIONAL), TRANSACTIONAL),
        (b"X-PM-Message-Stream: broadcast\r\nPriority: urgent\r\n", NO_OPTIONS, TRANSACTIONAL),
        (b"Priority: bulk\r\n", NO_OPTIONS, BULK),
        (b"Priority: nonsense\r\n", Options(lane=BULK), BULK),
        (b"", Options(lane=BULK), BULK),
    ],
)
def test_a_broadcast_stream_is_bulk_unless_somebody_says_otherwise(
    tmp_path: Path, fields: bytes, options: Options, lane: int
) -> None:
    taken = take(tmp_path, FROM + fields + BODY, principal=a_principal(options=options))
    assert taken.message.lane == lane


# --- binding


def test_a_binding_is_chosen_by_name_and_a_group_by_one_of_its_members(tmp_path: Path) -> None:
    fast = b'X-MSYS-API: {"options": {"ip_pool": "fast"}}\r\n'
    pool = b'X-MSYS-API: {"options": {"ip_pool": "pool"}}\r\n'
    api_key = a_principal("api_key")
    assert take(tmp_path, FROM + fast + BODY, BINDINGS, principal=api_key).message.binding == "fast"
    assert take(tmp_path, FROM + pool + BODY, BINDINGS, principal=api_key).message.binding in ("p1", "p2")
    login = a_principal(options=Options(binding="fast"))
    assert take(tmp_path, FROM + BODY, BINDINGS, principal=login).message.binding == "fast"


@pytest.mark.parametrize(
    ("set_to", "named", "binding"),
    [
        ("pool", "p1", "p1"),
        ("fast", "fast", "fast"),
        ("pool", "fast", ""),
        ("p1", "p2", ""),
        ("p1", "pool", ""),
    ],
)
def test_a_login_that_is_set_to_a_binding_may_name_only_what_belongs_to_it(
    tmp_path: Path, set_to: str, named: str, binding: str
) -> None:
    text = FROM + b'X-MSYS-API: {"options": {"ip_pool": "' + named.encode() + b'"}}\r\n' + BODY
    principal = a_principal("api_key", account=Account(7, "acme", NOW, options=Options(binding=set_to)))
    taken = take(tmp_path, text, BINDINGS, principal=principal)
    if binding:
        assert taken.message.binding == binding
    else:
        assert str(taken.reply) == (
            f"550 5.7.1 X-MSYS-API 'ip_pool' must be '{set_to}' or a binding of that group here; leave it out"
        )


def test_a_pool_that_is_not_there_is_refused(tmp_path: Path) -> None:
    text = FROM + b'X-MSYS-API: {"options": {"ip_pool": "nowhere"}}\r\n' + BODY
    taken = take(tmp_path, text, BINDINGS, principal=a_principal("api_key"))
    assert str(taken.reply) == (
        "550 5.6.0 X-MSYS-API 'ip_pool' names 'nowhere', which is no binding or binding group here"
    )
    assert taken.entered == []


def test_a_login_whose_binding_is_gone_is_asked_to_come_again(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + BODY, BINDINGS, principal=a_principal(options=Options(binding="gone")))
    assert str(taken.reply) == (
        "451 4.3.5 the binding 'gone' of this login is not declared here; the operator must change one of them"
    )


# --- Message-ID


@pytest.mark.parametrize(
    ("kind", "field", "is_kept"),
    [
        ("server_token", b"", False),
        ("smtp_token", b"", False),
        ("smtp_token", b"X-PM-KeepID: true\r\n", True),
        ("smtp_token", b"X-PM-KeepID: false\r\n", False),
        ("api_key", b"", True),
        ("smtp_login", b"", True),
        ("smtp_login", b"X-PM-KeepID: false\r\n", False),
        ("person", b"", True),
    ],
)
def test_message_ids_are_replaced_for_postmarks_logins(
    tmp_path: Path, kind: Any, field: bytes, is_kept: bool
) -> None:
    taken = take(
        tmp_path, FROM + field + BODY, principal=a_principal(kind), received_hostname="mx.example.org"
    )
    id = taken.message.id.hex()
    uuid = f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"
    ours = f"Message-ID: <{uuid}@mx.example.org>\r\n".encode()
    assert (b"Message-ID: <mine@example.org>" in taken.sent) is is_kept
    assert (ours in taken.sent) is not is_kept
    assert taken.sent.lower().count(b"message-id:") == 1


def test_copies_of_one_message_under_one_message_id_all_go_out(tmp_path: Path) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path)
        principal = a_principal()
        for n in range(5):
            await desk.submit(FROM + BODY, principal=principal, recipients=(f"r{n}@example.net",))
        assert [message.recipients[0].address for message, _ in desk.entered] == [
            f"r{n}@example.net" for n in range(5)
        ]
        assert len({message.id for message, _ in desk.entered}) == 5

    asyncio.run(story())


# --- what is wrong with them


def archived() -> dict[str, Stream]:
    return {
        "outbound": Stream("outbound", 3, "x", "transactional", NOW),
        "old": Stream("old", 3, "x", "transactional", NOW, archived_at=NOW),
    }


BROKEN_JSON = b"X-MSYS-API: {\r\n"
BAD_TAG = b"X-PM-TrackOpens: maybe\r\n"
BAD_SWITCH = b"x-smtpeter-trackopens: maybe\r\n"
LOST_STREAM = b"X-PM-Message-Stream: lost\r\n"
OLD_STREAM = b"X-PM-Message-Stream: old\r\n"


@pytest.mark.parametrize(
    ("field", "on_error", "answer", "failure"),
    [
        (
            BAD_TAG,
            "vendor",
            250,
            "550 5.6.0 X-PM-TrackOpens must be true or false, not 'maybe' (Postmark error 300)",
        ),
        (BAD_TAG, "refuse", 550, ""),
        (BROKEN_JSON, "vendor", 550, ""),
        (BROKEN_JSON, "refuse", 550, ""),
        (BROKEN_JSON, "accept", 250, "550 5.6.0 JSON parsing error in X-MSYS-API"),
        (BAD_SWITCH, "vendor", 550, ""),
        (BAD_SWITCH, "accept", 250, "550 5.6.0 x-smtpeter-trackopens must be true or false"),
        (
            LOST_STREAM,
            "vendor",
            250,
            "550 5.6.0 there is no stream 'lost': use one of outbound (Postmark error 1235)",
        ),
        (LOST_STREAM, "refuse", 550, ""),
        (
            OLD_STREAM,
            "vendor",
            250,
            "550 5.6.0 stream 'old' is archived: unarchive it, or use one of outbound (Postm",
        ),
        (BAD_TAG + BROKEN_JSON, "vendor", 550, ""),
    ],
)
def test_the_vendor_or_the_server_says_what_becomes_of_it(
    tmp_path: Path, field: bytes, on_error: Any, answer: int, failure: str
) -> None:
    principal = a_principal(on_error=on_error, streams=archived())
    taken = take(tmp_path, FROM + field + BODY, principal=principal)
    assert taken.reply.code == answer
    assert len(taken.entered) == (answer == 250)
    if answer == 250:
        assert str(taken.message.refusal).startswith(failure)


def test_without_a_login_everything_wrong_is_refused(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + BAD_TAG + BODY)
    assert (taken.reply.code, taken.entered) == (550, [])


def test_a_login_that_is_bound_to_another_stream_may_not_choose(tmp_path: Path) -> None:
    principal = a_principal("smtp_token", stream="outbound")
    taken = take(tmp_path, FROM + b"X-PM-Message-Stream: broadcast\r\n" + BODY, principal=principal)
    refusal = str(taken.message.refusal)
    assert refusal.startswith(
        "550 5.6.0 this SMTP token sends in stream 'outbound' only, not in 'broadcast': "
    )
    assert refusal.endswith(" (Postmark error 1236)")


def test_a_stream_archived_under_a_bound_login_is_refused_as_its_vendor_does(tmp_path: Path) -> None:
    login = a_principal(stream="old", streams=archived())
    assert take(tmp_path, FROM + BODY, principal=login).reply.code == 550
    token = a_principal("smtp_token", stream="old", streams=archived())
    assert take(tmp_path, FROM + BODY, principal=token).message.refusal is not None


def test_all_sentences_are_told_at_once(tmp_path: Path) -> None:
    text = FROM + BAD_TAG + b"X-PM-Tag: " + b"t" * 1001 + b"\r\n" + BODY
    reply = take(tmp_path, text).reply
    assert reply.text.split("\n") == [
        "X-PM-TrackOpens must be true or false, not 'maybe' (Postmark error 300)",
        "X-PM-Tag may have 1000 characters, not 1001 (Postmark error 300)",
    ]


@pytest.mark.parametrize(
    ("principal", "field", "reason", "record"),
    [
        (a_principal(), BROKEN_JSON, "json", "refused"),
        (a_principal("server_token"), BAD_TAG, "option_syntax", "received"),
        (a_principal("server_token"), LOST_STREAM, "unknown_stream", "received"),
        (a_principal("server_token", streams=archived()), OLD_STREAM, "archived_stream", "received"),
        (a_principal(), b"X-PM-Metadata-k: " + b"v" * 81 + b"\r\n", "metadata", "received"),
    ],
)
def test_it_is_logged_and_counted_with_its_reason(
    tmp_path: Path, principal: Principal, field: bytes, reason: str, record: str
) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path)
        await desk.submit(FROM + field + BODY, principal=principal)
        assert desk.counters.values["problems_total", reason] == 1
        (line,) = desk.log
        assert (line["event"], line["account"]) == (record, 7)
        assert line["reason"] == reason
        if record == "refused":
            assert line["reply"].startswith("550 5.6.0 ")
            assert line["login"] == principal.name
        else:
            assert line["refusal"].startswith("550 5.6.0 ")

    asyncio.run(story())


def test_a_large_body_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    async def story() -> None:
        desk = IntakeDesk(tmp_path)
        taken = await desk.submit(FROM + BROKEN_JSON + BODY, principal=a_principal(), pieces=10)
        assert (taken.reply.code, desk.files) == (550, set())

    asyncio.run(story())


def test_limits_of_domains_hold_for_the_server_and_the_account(tmp_path: Path) -> None:
    limits = Limits(sender_domains="verified")
    for principal in (
        a_principal(limits=limits),
        a_principal(account=Account(7, "acme", NOW, limits=limits)),
    ):
        assert take(tmp_path, FROM + BODY, principal=principal).reply.code == 250
        other = FROM.replace(b"example.org", b"example.com")
        assert take(tmp_path, other + BODY, principal=principal).reply.code == 550
