"""Mail sent as Postmark's clients do: from a request to the intake and back."""

import asyncio
import base64
import re
from email import message_from_bytes, policy
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from angarium.assets.templates.ready import ReadyTemplate
from angarium.core.fields import Fields, read_form
from angarium.core.options import Options
from angarium.core.submission import Problem, Reason
from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.http.postmark.sending.dialect import MessageWords
from angarium.http.postmark.sending.paths import EmailPaths
from angarium.http.sending.bodies import Bodies
from angarium.http.sending.door import SendingDoor
from angarium.identity.limits import Limits
from angarium.identity.principal import Refused
from angarium.sql.errors import NotFound
from angarium.submission.requests.requests import Requests
from angarium.suppressions.decide import Stop
from angarium.testing.intake import IntakeDesk, a_principal
from angarium.testing.log import kept_log

TOKEN = "0B1C2D3E-0000-4000-8000-00000000000A"
MAIL = {"From": "Ann <ann@example.org>", "To": "bob@example.com", "Subject": "Hi", "TextBody": "x"}


class Senders:
    """One token that is good."""

    def __init__(self, refused: Refused | None, delivery_type: str) -> None:
        self.refused = refused
        self.delivery_type = delivery_type

    async def authenticate(self, claim: Any, peer_ip: str, way: str = "smtp") -> Any:
        if claim.secret != TOKEN.lower():
            return Refused("unknown")
        limits = Limits(sender_domains="verified")
        return self.refused or a_principal("server_token", limits=limits, delivery_type=self.delivery_type)

    def note_use(self, principal: Any, now: float) -> None:
        pass


class Owners:
    """Nobody has verified a domain."""

    def now(self, domain: str) -> frozenset[int]:
        return frozenset()


class Suppressed:
    """Everybody whose name begins with `gone` is suppressed."""

    async def stop_at_door(self, path: Any, facts: Any) -> Stop | None:
        return Stop("hard_bounce", "test") if path.address.lower().startswith("gone") else None


class Templates:
    """One template."""

    async def get(self, name: Any) -> ReadyTemplate:
        if name.name not in (7, "welcome"):
            raise NotFound(f"template {name.name}")
        fields = Fields(author=(), subject="Hello {{name}}", text="Dear {{name}}")
        return ReadyTemplate(
            id=7, account=7, server=None, alias="welcome", name="W", version=1, is_draft=False,
            fields=fields, language="mustachio", defaults={}, options=Options(),
        )  # fmt: skip


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return msgspec.json.decode(self.body)


class Door:
    """The paths below `/email` before a real intake."""

    def __init__(self, folder: Any) -> None:
        self._folder = folder
        self.refused: Refused | None = None
        self.refuses: Problem | None = None
        self.most_bytes = 1 << 20
        self.delivery_type = "live"
        self.desk: Any = None

    def __call__(
        self,
        body: Any,
        path: str = "/email",
        *,
        token: str | None = TOKEN,
        method: str = "POST",
        **headers: str,
    ) -> Said:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return asyncio.run(self._ask(data, path, token, method, headers))

    async def _ask(
        self, data: bytes, path: str, token: str | None, method: str, more: dict[str, str]
    ) -> Said:
        self.desk = IntakeDesk(self._folder)
        self.desk.intake.refuses = self.refuses
        bodies = Bodies(lambda: (self.most_bytes, 1 << 24))
        requests = Requests(
            self.desk.intake, Senders(self.refused, self.delivery_type), Owners(), Suppressed(), Templates()
        )
        app = EmailPaths(lambda words: SendingDoor(words, requests, bodies, self.desk, kept_log()), self.desk)
        fields = {
            "content-type": "application/json",
            **{name.replace("_", "-"): v for name, v in more.items()},
        }
        if token is not None:
            fields["x-postmark-server-token"] = token
        coming = [{"type": "http.request", "body": data, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            return coming.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"", "client": ("192.0.2.7", 40_000),
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }  # fmt: skip
        await app(scope, receive, send)
        start, *rest = sent
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return Said(start["status"], answered, b"".join(each["body"] for each in rest))

    @property
    def message(self) -> Any:
        """The only message that entered, as the library reads it."""
        ((_, body),) = self.desk.entered
        return message_from_bytes(body, policy=policy.SMTP)


@pytest.fixture
def door(tmp_path: Any) -> Door:
    return Door(tmp_path)


def refused(said: Said) -> tuple[int, int]:
    assert said.headers["x-pm-apierrorcode"] == str(said.data["ErrorCode"])
    assert isinstance(said.data["Message"], str)
    return said.status, said.data["ErrorCode"]


def test_a_message_is_taken_and_named(door: Door) -> None:
    said = door({**MAIL, "Cc": "C <c@example.com>", "Bcc": "d@example.com, e@example.com"}, "/EMAIL/")
    ((message, _),) = door.desk.entered
    id = message.id.hex()
    assert said.status == 200
    assert said.data == {
        "To": "bob@example.com",
        "Cc": "C <c@example.com>",
        "Bcc": "d@example.com, e@example.com",
        "SubmittedAt": said.data["SubmittedAt"],
        "MessageID": f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}",
        "ErrorCode": 0,
        "Message": "OK",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}-0[45]:00", said.data["SubmittedAt"])
    assert [path.address for path in message.recipients] == [
        *("bob@example.com", "c@example.com", "d@example.com", "e@example.com")
    ]
    assert (door.message["From"], door.message["Bcc"]) == ("Ann <ann@example.org>", None)
    assert message.options.stream == "outbound"


def test_what_goes_with_a_message(door: Door) -> None:
    picture = {
        "Name": "dot.gif",
        "ContentType": "image/gif; name=dot.gif",
        "ContentID": "cid:dot",
        "Content": "R0\nlG",
    }
    file = {
        "Name": "a.txt",
        "Content": base64.b64encode(b"12").decode(),
        "ContentType": "text/plain",
        "ContentID": None,
    }
    said = door(
        {
            **MAIL,
            "HtmlBody": "<img src='cid:dot'>",
            "Attachments": [picture, file],
            "Headers": [{"Name": "X-Order", "Value": 7}, {"Name": "Return-Path", "Value": "<x@y.example>"}],
            "ReplyTo": "r@example.org",
            "Tag": "welcome",
            "Metadata": {"order": 7, "vip": True},
            "TrackOpens": True,
            "TrackLinks": "HtmlOnly",
            "MessageStream": "broadcast",
        }
    )
    assert said.data["Message"] == "OK"
    ((message, _),) = door.desk.entered
    options = message.options
    assert (options.tags, options.metadata) == (("welcome",), {"order": "7", "vip": "true"})
    assert (options.track_opens, options.track_links, options.stream) == (True, "html", "broadcast")
    assert (door.message["X-Order"], door.message["Reply-To"], door.message["Return-Path"]) == (
        "7",
        "r@example.org",
        None,
    )
    names = [part.get_filename() for part in door.message.walk() if part.get_filename()]
    assert sorted(names) == ["a.txt", "dot.gif"]


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"From": None}, 300, "The 'From' address is missing."),
        ({"From": "webmaster@localhost"}, 300, "Invalid 'From' address: 'webmaster@localhost'."),
        (
            {"From": "ann@foreign.example"},
            400,
            "The 'From' address you supplied (foreign.example) is not a Sender",
        ),
        ({"To": ""}, 300, "Zero recipients specified"),
        (
            {"To": "bob"},
            300,
            "Error parsing 'To': Illegal email address 'bob'. It must contain the '@' symbol.",
        ),
        ({"Cc": "a@b"}, 300, "Error parsing 'Cc': Illegal email domain 'b' in address 'a@b'."),
        ({"To": "bob@example.com\r\nBcc: x@y.example"}, 300, "The 'To' must not have line breaks."),
        (
            {"To": ",".join(f"u{n}@example.com" for n in range(51))},
            300,
            "A message may have 50 recipients, not 51.",
        ),
        ({"TextBody": ""}, 300, "Provide either email TextBody or HtmlBody or both."),
        ({"Subject": "x" * 2001}, 300, "The 'Subject' may have"),
        ({"Tag": "x" * 1001}, 300, "The 'Tag' may have"),
        ({"TrackLinks": "All"}, 300, "The 'TrackLinks' must be"),
        (
            {"Metadata": {"x" * 21: "y"}},
            300,
            "Invalid metadata content. Field names are limited to 20 characters",
        ),
        ({"Metadata": {"x": "y" * 81}}, 300, "Invalid metadata content. Field values are limited"),
        ({"Metadata": {"x": 1, "X": 2}}, 300, "Invalid metadata content. Field names must differ"),
        ({"Metadata": {f"k{n}": "v" for n in range(11)}}, 300, "Invalid metadata content. There may be 10"),
        (
            {"Headers": [{"Name": "X-A", "Value": "1\nBcc: x@y.example"}]},
            300,
            "The header 'X-A' must not have line",
        ),
        ({"Headers": [{"Name": "a b", "Value": "1"}]}, 300, "headers/a b is no name"),
        (
            {"Attachments": [{"Name": "a.txt", "Content": "%"}]},
            300,
            "The content of the attachment 'a.txt' is not",
        ),
        ({"Attachments": [{"Name": "a.exe", "Content": ""}]}, 411, "'a.exe' is not sent"),
        ({"MessageStream": "lost"}, 1235, "The stream provided: 'lost' does not exist on this server."),
        ({"TrackOpens": "maybe", "Subject": 1}, 403, "Invalid request field(s): 'Subject', 'TrackOpens'."),
        (
            {"To": "gone@example.com"},
            406,
            "You tried to send to recipient(s) that have been marked as inactive.",
        ),
    ],
)
def test_what_is_wrong_with_a_message(door: Door, given: dict[str, Any], code: int, said: str) -> None:
    answer = door({**MAIL, **given})
    assert refused(answer) == (422, code)
    assert answer.data["Message"].startswith(said)
    assert door.desk.entered == []


def test_suppressed_recipients_are_named_as_clients_look_for_them(door: Door) -> None:
    answer = door({**MAIL, "To": "Gone1@example.com, gone2@example.com"})
    assert refused(answer) == (422, 406)
    (found,) = re.findall(r"Found inactive addresses: (.+?)\.? Inactive", answer.data["Message"])
    assert found == "gone1@example.com, gone2@example.com"
    partly = door({**MAIL, "Cc": "gone@example.com"}).data
    assert partly["ErrorCode"] == 0
    assert re.findall(r"these inactive addresses: (.+?)\. Inactive", partly["Message"]) == [
        "gone@example.com"
    ]
    ((message, _),) = door.desk.entered
    assert [path.address for path in message.recipients] == ["bob@example.com"]


def test_a_batch_is_answered_item_by_item(door: Door) -> None:
    said = door([MAIL, {**MAIL, "To": "nobody"}, 7, {**MAIL, "To": "gone@example.com"}, MAIL], "/email/batch")
    assert said.status == 200
    assert [each["ErrorCode"] for each in said.data] == [0, 300, 402, 406, 0]
    assert list(said.data[1]) == ["ErrorCode", "Message"]
    assert len(door.desk.entered) == 2
    assert len({each["MessageID"] for each in said.data if each["ErrorCode"] == 0}) == 2


def test_a_batch_that_is_none(door: Door) -> None:
    assert refused(door([MAIL] * 501, "/email/batch")) == (422, 410)
    assert refused(door(MAIL, "/email/batch")) == (422, 402)
    assert door([], "/email/batch").data == []


def test_tokens(door: Door) -> None:
    assert refused(door(MAIL, token=None)) == (401, 10)
    assert refused(door(MAIL, token=TOKEN.replace("A", "B"))) == (401, 10)
    door.refused = Refused("suspended", "server token 1")
    assert refused(door(MAIL)) == (422, 413)


def test_the_test_token_is_for_looking_only(door: Door) -> None:
    said = door({**MAIL, "From": "x@anything.example"}, token="POSTMARK_API_TEST")
    assert (said.status, said.data["Message"], said.data["To"]) == (
        200,
        "Test job accepted",
        "bob@example.com",
    )
    assert door.desk.entered == []
    assert refused(door({**MAIL, "From": "webmaster@localhost"}, token="POSTMARK_API_TEST")) == (422, 300)
    batch = door([MAIL, {}], "/email/batch", token="POSTMARK_API_TEST").data
    assert [each["ErrorCode"] for each in batch] == [0, 300]
    assert refused(door(b"[", "/email", token="POSTMARK_API_TEST")) == (422, 402)


def test_mail_of_a_sandbox_is_for_nobody_and_its_text_is_kept(door: Door) -> None:
    door(MAIL)
    ((live, _),) = door.desk.entered
    door.delivery_type = "sandbox"
    assert door(MAIL).data["Message"] == "OK"
    ((message, _),) = door.desk.entered
    assert (live.fate, live.options.keep_body_days) == ("deliver", None)
    assert (message.fate, message.options.keep_body_days) == ("sandbox", 7)


TEMPLATED = {"From": "ann@example.org", "To": "Bob <bob@example.com>", "TemplateModel": {"name": "Bob"}}


@pytest.mark.parametrize(
    "named", [{"TemplateId": 7}, {"TemplateId": "7"}, {"TemplateId": 0, "TemplateAlias": "welcome"}]
)
def test_a_template_is_filled_in_for_its_recipient(door: Door, named: dict[str, Any]) -> None:
    said = door({**TEMPLATED, **named}, "/email/withTemplate/")
    assert (said.data["Message"], said.data["To"]) == ("OK", "Bob <bob@example.com>")
    ((message, body),) = door.desk.entered
    form = read_form(body)
    assert (form.fields.subject, form.language, form.shared) == (
        "Hello {{name}}",
        "mustachio",
        b'{"name":"Bob"}',
    )
    assert form.fields.author[0].address == "ann@example.org"
    assert message.options.inline_css is True


def test_what_is_wrong_with_a_template(door: Door) -> None:
    def wrong(**given: Any) -> int:
        return int(refused(door({**TEMPLATED, "TemplateId": 7, **given}, "/email/withTemplate"))[1])

    assert wrong(TemplateId=8) == wrong(TemplateId=None, TemplateAlias="none") == 1101
    assert wrong(TemplateId=None) == wrong(TemplateModel=None) == wrong(TemplateModel=[1]) == 403
    assert wrong(TextBody="x") == wrong(Subject="x") == 1123
    batch = {
        "messages": [{**TEMPLATED, "TemplateId": 7, "TemplateModel": []}, {**TEMPLATED, "TemplateId": 8}]
    }
    assert [each["ErrorCode"] for each in door(batch, "/email/batchWithTemplates").data] == [0, 1101]


def test_requests_that_are_none(door: Door) -> None:
    assert refused(door(b"{", "/email")) == (422, 402)
    assert refused(door(b"[]", "/email")) == (422, 402)
    assert refused(door(MAIL, content_type="text/plain")) == (415, 409)
    assert refused(door(MAIL, "/email/other")) == (404, 501)
    said = door(MAIL, method="GET")
    assert (refused(said), said.headers["allow"]) == ((405, 501), "POST")
    door.most_bytes = 100
    assert refused(door({**MAIL, "TextBody": "x" * 200}))[0] == 413


def test_a_node_that_takes_no_mail_says_when_to_come_again(door: Door) -> None:
    door.refuses = Problem(Reason.STORAGE_FULL)
    said = door(MAIL)
    assert refused(said) == (503, 100)
    assert int(said.headers["retry-after"]) > 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["From", "To", "cc", "Bcc", "Subject", "HtmlBody", "TextBody", "Tag", "ReplyTo", "Headers", "TrackOpens",
     "TrackLinks", "Metadata", "Attachments", "MessageStream", "TemplateId", "TemplateModel", "TemplateAlias"]
)  # fmt: skip
USUAL = st.fixed_dictionaries(
    {},
    optional={
        "Headers": st.lists(
            st.dictionaries(st.sampled_from(["Name", "value"]), JSON, max_size=2), max_size=3
        ),
        "Attachments": st.lists(
            st.dictionaries(
                st.sampled_from(["Name", "content", "ContentType", "contentID"]), JSON, max_size=4
            ),
            max_size=3,
        ),
        "To": st.text(max_size=60),
    },
)


@given(st.dictionaries(NAMES, JSON, max_size=8), USUAL, st.booleans())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_body_is_read_or_refused(said: Any, usual: Any, is_templated: bool) -> None:
    asked = MessageWords(is_templated=is_templated).asked({**MAIL, **said, **usual})
    if isinstance(asked, PostmarkProblem):
        assert (asked.status, type(msgspec.json.encode(asked.answer()))) == (422, bytes)
    else:
        assert 0 < len(asked.recipients) <= 50
