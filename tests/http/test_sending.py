"""Mail by HTTP: from a request to the intake and back, in the product's own words."""

import asyncio
import base64
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec
import pytest

from angarium.core.clock import SystemClock
from angarium.core.submission import Problem, Reason
from angarium.http.api.openapi import document
from angarium.http.manage.sending.dialect import Batch, OneMessage
from angarium.http.manage.table import MANAGE
from angarium.http.sending.bodies import Bodies
from angarium.http.sending.door import SendingDoor
from angarium.identity.principal import Principal, Refused
from angarium.smtp.sasl.exchange import Claim
from angarium.sql.errors import StoreError
from angarium.submission.keys.claim import claim_of
from angarium.submission.keys.database import KeyDatabase
from angarium.submission.keys.keys import RequestKeys
from angarium.submission.requests.requests import Requests
from angarium.testing.intake import IntakeDesk, a_principal
from angarium.testing.log import kept_log

KEY = "0123456789abcdef0123456789abcdef01234567"
WHOLE = document(MANAGE)
MAIL = {"from": "Ann <ann@example.org>", "to": ["bob@example.com"], "subject": "Hi", "text": "x"}


class Senders:
    """Implements submission.requests.ports.Senders: one key."""

    def __init__(self, found: Principal | Refused | None) -> None:
        self.found = found
        self.used = 0

    async def authenticate(self, claim: Claim, peer_ip: str, way: str = "smtp") -> Principal | Refused:
        assert (claim.username, way) == ("SMTP_Injection", "http")
        if self.found is None:
            raise StoreError("nobody answers")
        return self.found if claim.secret == KEY else Refused("unknown")

    def note_use(self, principal: Principal, now: float) -> None:
        self.used += 1


class Owners:
    """Implements submission.session.access.Owners: example.net is another's."""

    def now(self, domain: str) -> frozenset[int] | None:
        return frozenset((9,)) if domain == "example.net" else frozenset()

    async def get(self, domain: str) -> frozenset[int]:
        raise AssertionError


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong, by where: the names that programs go by."""
        return {error["pointer"]: error.get("code", error["detail"]) for error in self.data["errors"]}


class Door:
    """A door before a real intake."""

    def __init__(self, folder: Path, found: Principal | Refused | None = None, **desk: Any) -> None:
        self.found = found
        self.folder = folder
        self.options = desk
        self.bounds = 100_000, 1_000_000
        self.refuses: Problem | None = None
        self.desk: IntakeDesk
        self.held = 0

    def post(
        self, body: Any, *, path: str = "", key: str | None = KEY, pieces: int = 1, **headers: str
    ) -> Said:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        said = asyncio.run(self._post(data, path, key, pieces, headers))
        check_told("/messages/batch" if path else "/messages", said)
        return said

    async def _post(self, data: bytes, path: str, key: str | None, pieces: int, more: dict[str, str]) -> Said:
        self.desk = IntakeDesk(self.folder, **self.options)
        self.desk.intake.refuses = self.refuses
        bodies = Bodies(lambda: self.bounds)
        bodies.held_bytes = self.held
        found = self.found or a_principal("api_key")
        requests = Requests(self.desk.intake, Senders(found), Owners())
        dialect = Batch() if path else OneMessage()
        door = SendingDoor(dialect, requests, bodies, self.desk, kept_log())
        answer = await ask(door, data, key, pieces, more)
        assert bodies.held_bytes == self.held
        return answer

    @property
    def message(self) -> EmailMessage:
        """The only message that entered, as the library reads it."""
        ((_, body),) = self.desk.entered
        message = message_from_bytes(body, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        return message


def check_told(path: str, said: Said) -> None:
    """Check that an answer is one that the OpenAPI document tells of."""
    told = WHOLE["paths"][path]["post"]["responses"][str(said.status)]
    if "$ref" in told:
        told = WHOLE["components"]["responses"][told["$ref"].rpartition("/")[2]]
    schema = told["content"][said.headers["content-type"]]["schema"]
    jsonschema_rs.validate({**schema, "components": WHOLE["components"]}, said.data)


async def ask(door: SendingDoor, data: bytes, key: str | None, pieces: int, more: dict[str, str]) -> Said:
    headers = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in more.items()}}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    cut = max(1, -(-len(data) // pieces))
    parts = [data[at : at + cut] for at in range(0, len(data), cut)] or [b""]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/manage/v1/messages",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.7", 40_000),
    }
    await door(scope, receive, send)
    start, *rest = sent
    return Said(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(each["body"] for each in rest),
    )


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_a_message_is_taken_and_named(door: Door) -> None:
    said = door.post({**MAIL, "cc": ["C <c@example.com>"], "bcc": ["d@example.com"]})
    ((message, _),) = door.desk.entered
    assert (said.status, said.data["id"], said.data["accepted"]) == (202, message.id.hex(), 3)
    assert [(each["address"], each["message"]) for each in said.data["recipients"]] == [
        (address, message.id.hex()) for address in ("bob@example.com", "c@example.com", "d@example.com")
    ]
    assert [(path.address, path.role) for path in message.recipients] == [
        ("bob@example.com", ""),
        ("c@example.com", "cc"),
        ("d@example.com", "bcc"),
    ]
    assert (message.reverse_path, message.account, message.origin.listener) == ("ann@example.org", 7, "http")
    assert (door.message["To"], door.message["Cc"], door.message["Bcc"]) == (
        "bob@example.com",
        "C <c@example.com>",
        None,
    )


def test_a_message_has_parts_files_and_pictures(door: Door) -> None:
    picture = {"name": "dot.gif", "type": "image/gif", "content_id": "dot", "content": "R0lG"}
    file = {"name": "Größe.txt", "type": "text/plain", "content": base64.b64encode(b"12").decode()}
    more = {"html": "<img src='cid:dot'>", "amp": "<html amp4email>", "attachments": [picture, file]}
    assert door.post({**MAIL, **more, "reply_to": ["r@example.org"], "headers": {"X-A": "é"}}).status == 202
    kinds = [part.get_content_type() for part in door.message.walk()]
    assert kinds == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/x-amp-html", "multipart/related"),
        *("text/html", "image/gif", "text/plain"),
    ]
    (attachment,) = door.message.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("Größe.txt", "12")
    assert (door.message["Reply-To"], door.message["X-A"]) == ("r@example.org", "é")


def test_a_whole_message_is_taken_as_it_is(door: Door) -> None:
    raw = "From: a@example.org\nTo: b@example.com\nBcc: c@example.com\nSubject: x\n\nhi\n"
    assert door.post({"raw": raw}).data["accepted"] == 2
    ((message, body),) = door.desk.entered
    assert body == b"From: a@example.org\r\nTo: b@example.com\r\nSubject: x\r\n\r\nhi\r\n"
    encoded = base64.b64encode(raw.encode()).decode()
    assert door.post({"raw_base64": encoded, "to": ["x@example.com"]}).data["accepted"] == 1
    ((message, _),) = door.desk.entered
    assert [path.address for path in message.recipients] == ["x@example.com"]


def test_options_and_the_time_to_leave(door: Door) -> None:
    more = {"stream": "broadcast", "tags": ["t"], "metadata": {"a": 1}, "track_opens": True, "lane": "bulk"}
    door.post({**MAIL, **more, "send_at": "2030-06-01T00:00:00Z", "return_path": "r@example.org"})
    ((message, _),) = door.desk.entered
    options = message.options
    assert (options.stream, options.tags, options.metadata) == ("broadcast", ("t",), {"a": 1})
    assert (options.track_opens, options.lane, message.lane, message.reverse_path) == (
        True,
        1,
        1,
        "r@example.org",
    )
    assert message.due_at == 1_906_502_400.0


def test_without_a_time_or_with_one_that_is_past_it_leaves_at_once(door: Door) -> None:
    door.post({**MAIL, "send_at": "2020-01-01T00:00:00Z"})
    assert door.desk.entered[0][0].due_at is None


def test_all_that_is_wrong_is_told_at_once(door: Door) -> None:
    files = [{"name": "ok.txt", "content": ""}, {"name": "Run.EXE. ", "content": ""}]
    said = door.post(
        {
            "from": "nobody",
            "to": ["bob@example.com", "a@b.example, c@d.example", {"address": "x"}],
            "headers": {"From": "x", "X Y": "z"},
            "attachments": files,
            "send_at": "2060-01-01T00:00:00Z",
        }
    )
    assert (said.status, said.data["type"]) == (400, "urn:angarium:problem:invalid")
    assert said.headers["content-type"] == "application/problem+json"
    assert said.wrong == {
        "/from": "field",
        "/to/1": "field",
        "/to/2/address": "field",
        "/text": "field",
        "/send_at": "field",
        "/headers/From": "field",
        "/headers/X Y": "field",
        "/attachments/1/name": "attachment_type",
    }
    assert door.desk.entered == []


FOUL = "x\r\nBcc: all@example.com\r\n\r\n<script>"


def test_nothing_begins_another_field(door: Door) -> None:
    foul = {
        **MAIL,
        "subject": FOUL,
        "headers": {"X-A": FOUL},
        "from": {"address": "a@example.org", "name": FOUL},
    }
    assert door.post(foul).status == 202
    assert door.message["Bcc"] is None
    assert sorted(door.message.keys())[-3:] == ["Subject", "To", "X-A"]
    for address in (
        "a@example.org\r\nBcc: x@example.com",
        "a@example.org>, <b@example.org",
        "\0@example.org",
    ):
        assert door.post({**MAIL, "from": {"address": address}}).status == 400
        assert door.post({**MAIL, "to": [{"address": address}]}).status == 400
        assert door.post({**MAIL, "return_path": address}).status == 400


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b"[" * 100_000 + b"]" * 100_000, ""),
        (b'{"from":"a@example.org","sbject":"x","to":3}', "/sbject /to"),
        (b'{"from":"a@example.org","attachments":[{"name":"a","content":"!"}]}', "/attachments/0/content"),
    ],
)
def test_a_body_that_cannot_be_read(tmp_path: Path, body: bytes, told: str) -> None:
    door = Door(tmp_path)
    door.bounds = 1_000_000, 1_000_000
    said = door.post(body)
    assert said.status == 400
    assert " ".join(error["pointer"] for error in said.data.get("errors", ())) == told


def test_contents_that_do_not_go_together(door: Door) -> None:
    said = door.post({**MAIL, "raw": "From: a@example.org\n\n", "template": "t", "separate": True})
    assert said.status == 400
    assert {"/template", "/subject", "/text", "/separate"} <= said.wrong.keys()


def test_a_dry_run_takes_nothing(door: Door) -> None:
    said = door.post({**MAIL, "dry_run": True})
    assert (said.status, door.desk.entered) == (200, [])
    assert said.data == {"accepted": 1, "recipients": [{"address": "bob@example.com"}]}
    assert door.post({**MAIL, "dry_run": True, "stream": "none"}).wrong == {"/stream": "unknown_stream"}


def test_of_a_batch_each_is_answered(door: Door) -> None:
    said = door.post({"messages": [MAIL, {**MAIL, "to": []}, {**MAIL, "stream": "no"}, MAIL]}, path="batch")
    assert (said.status, said.data["accepted"], said.data["refused"]) == (202, 2, 2)
    first, second, third, fourth = said.data["results"]
    assert [first["id"], fourth["id"]] == [message.id.hex() for message, _ in door.desk.entered]
    assert [second["problem"]["errors"][0][key] for key in ("pointer", "code")] == [
        "/messages/1/to",
        "no_recipients",
    ]
    assert third["problem"]["errors"][0]["pointer"] == "/messages/2/stream"


def test_a_batch_of_which_nothing_is_taken_has_the_status_of_that(door: Door) -> None:
    assert door.post({"messages": [{**MAIL, "to": []}]}, path="batch").status == 400
    assert door.post({"messages": []}, path="batch").status == 400
    assert door.post({"messages": [MAIL] * 501}, path="batch").status == 400


def test_where_the_spool_is_full_all_of_a_batch_is_put_off(tmp_path: Path) -> None:
    door = Door(tmp_path, full_after=1)
    said = door.post({"messages": [MAIL, MAIL]}, path="batch")
    assert (said.status, said.headers["retry-after"], door.desk.entered) == (503, "5", [])
    assert [result["problem"]["status"] for result in said.data["results"]] == [503, 503]


def test_bodies_that_a_segment_has_no_room_for_are_files(tmp_path: Path) -> None:
    door = Door(tmp_path, config="Spool_Segment_Size = 1048576 Large_Message_Threshold = 500000")
    door.bounds = 1 << 24, 1 << 24
    mails = [{**MAIL, "text": "x" * size} for size in (600_000, 300_000, 290_000, 280_000, 10)]
    assert door.post({"messages": mails}, path="batch").data["accepted"] == 5
    assert len(door.desk.files) == 1
    mails = [{**MAIL, "text": "x" * 400_000}] * 4
    assert door.post({"messages": mails}, path="batch").data["accepted"] == 4
    assert len(door.desk.files) == 1 + 2


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        (Refused("unknown"), 401, "login_unknown"),
        (Refused("disabled"), 401, "login_unknown"),
        (Refused("network"), 401, "login_unknown"),
        (Refused("suspended"), 403, "login_suspended"),
        (Refused("grant"), 403, "login_grant"),
    ],
)
def test_who_may_not_send(tmp_path: Path, found: Refused, status: int, code: str) -> None:
    said = Door(tmp_path, found).post(MAIL)
    assert (said.status, said.wrong) == (status, {"": code})
    assert said.headers["connection"] == "close"
    assert ("www-authenticate" in said.headers) == (status == 401)


def test_without_a_key(door: Door) -> None:
    assert door.post(MAIL, key=None).wrong == {"": "login_missing"}
    assert door.post(MAIL, key="other").wrong == {"": "login_unknown"}


def test_while_the_node_takes_no_mail(door: Door) -> None:
    door.refuses = Problem(Reason.QUEUE_FULL)
    said = door.post(MAIL)
    assert (said.status, said.headers["retry-after"], said.headers["connection"]) == (503, "30", "close")


def test_bodies_are_bounded_alone_and_together(door: Door) -> None:
    door.bounds = 500, 1000
    assert door.post({**MAIL, "text": "x" * 600}, pieces=7).wrong == {"": "body_size"}
    assert door.post(MAIL, content_length="501").status == 413
    assert door.post(MAIL, content_length="x").status == 202
    door.held = 990
    said = door.post(MAIL)
    assert (said.status, said.wrong) == (503, {"": "memory"})


def test_bounces_go_to_no_other_account(door: Door) -> None:
    said = door.post({**MAIL, "return_path": "x@example.net"})
    assert (said.status, said.wrong) == (403, {"/return_path": "return_path"})


def test_a_message_may_have_so_much(tmp_path: Path) -> None:
    door = Door(tmp_path, config="Max_Message_Size = 300 Max_Recipients_Per_Message = 2")
    assert door.post({**MAIL, "text": "x" * 400}).wrong == {"": "message_size"}
    many = {**MAIL, "to": ["a@b.test", "b@b.test", "c@b.test"]}
    assert door.post(many).wrong == {"/to": "too_many_recipients"}


def test_of_a_server_token_nothing_is_taken_to_fail(tmp_path: Path) -> None:
    """As it is by SMTP, where the sender has gone when it is looked at."""
    door = Door(tmp_path, a_principal("server_token"))
    assert door.post({**MAIL, "stream": "none"}).wrong == {"/stream": "unknown_stream"}
    assert door.desk.entered == []


# -- requests with a key


class KeyedDoor(Door):
    """A door at which requests may have keys."""

    async def _post(self, data: bytes, path: str, key: str | None, pieces: int, more: dict[str, str]) -> Said:
        database = KeyDatabase(self.folder, "p0", b"run")
        keys = RequestKeys(database, SystemClock(), kept_log())
        self.options["keys"] = keys
        try:
            return await super()._post(data, path, key, pieces, more)
        finally:
            await keys.close()


@pytest.fixture
def keyed(tmp_path: Path) -> KeyedDoor:
    return KeyedDoor(tmp_path)


def test_a_repetition_is_answered_byte_for_byte_and_takes_nothing(keyed: KeyedDoor) -> None:
    first = keyed.post(MAIL, idempotency_key="k")
    assert len(keyed.desk.entered) == 1
    again = keyed.post(MAIL, idempotency_key="k")
    assert (again.status, again.body, keyed.desk.entered) == (202, first.body, [])
    assert (again.headers["idempotency-replayed"], "idempotency-replayed" in first.headers) == ("true", False)
    assert again.headers["content-type"] == first.headers["content-type"]


def test_so_is_a_batch_with_what_was_refused_of_it(keyed: KeyedDoor) -> None:
    batch = {"messages": [MAIL, {**MAIL, "to": []}]}
    first = keyed.post(batch, path="batch", idempotency_key="k")
    again = keyed.post(batch, path="batch", idempotency_key="k")
    assert (first.data["accepted"], first.data["refused"]) == (1, 1)
    assert (again.status, again.body, keyed.desk.entered) == (first.status, first.body, [])


def test_a_key_with_something_else_is_a_conflict(keyed: KeyedDoor) -> None:
    keyed.post(MAIL, idempotency_key="k")
    said = keyed.post({**MAIL, "subject": "Ho"}, idempotency_key="k")
    assert (said.status, said.wrong, said.data["type"]) == (
        409,
        {"": "key_differs"},
        "urn:angarium:problem:conflict",
    )


def test_what_is_not_answered_yet_is_a_conflict_that_passes(keyed: KeyedDoor) -> None:
    body = msgspec.json.encode(MAIL)
    asked = [b"POST /manage/v1/messages?\0", body]
    KeyDatabase(keyed.folder, "p1", b"other").change([], [claim_of(a_principal(), "k", asked)], 1e9)
    KeyDatabase(keyed.folder, "p1", b"x").change([], [claim_of(a_principal(), "k", asked)], 2e9)
    said = keyed.post(body, idempotency_key="k")
    assert (said.status, said.wrong, said.headers["retry-after"]) == (409, {"": "key_running"}, "1")


@pytest.mark.parametrize("wrong", [{**MAIL, "to": []}, b"{", {**MAIL, "dry_run": True}])
def test_a_request_of_which_nothing_is_taken_leaves_its_key_free(keyed: KeyedDoor, wrong: Any) -> None:
    keyed.post(wrong, idempotency_key="k")
    assert keyed.post(MAIL, idempotency_key="k").status == 202


def test_where_the_spool_is_full_the_key_stays_free(tmp_path: Path) -> None:
    keyed = KeyedDoor(tmp_path, full_after=0)
    assert keyed.post(MAIL, idempotency_key="k").status == 503
    assert keyed.post({**MAIL, "subject": "Ho"}, idempotency_key="k").status == 503


def test_a_key_that_is_none(keyed: KeyedDoor) -> None:
    assert keyed.post(MAIL, idempotency_key="x" * 256).wrong == {"": "key_syntax"}
