"""Mail by request that names a template: what becomes of the name, and what the message says itself."""

import asyncio

import msgspec
import pytest

from angarium.assets.known import TemplateName
from angarium.assets.templates.ready import ReadyTemplate
from angarium.core.fields import Attachment, Fields, Form, NamedMailbox
from angarium.core.options import Options
from angarium.core.records import ForwardPath
from angarium.core.submission import Reason, TemplateReference, Wishes
from angarium.sql.errors import NotFound, StoreError
from angarium.submission.requests.mail import Mail
from angarium.submission.requests.templates import formed
from angarium.testing.intake import a_principal

SHOP = NamedMailbox("shop@example.com", "Shop")
ANN = NamedMailbox("ann@example.com")
WELCOME = ReadyTemplate(
    id=7,
    account=1,
    server=None,
    alias="welcome",
    name="Welcome",
    version=3,
    is_draft=False,
    fields=Fields(
        author=(SHOP,), subject="Hello {{name}}", html="<p>{{name}}", headers=(("X-A", "a"), ("X-B", "b"))
    ),
    language="mustachio",
    defaults={"name": "friend", "shop": "us"},
    options=Options(track_opens=True),
)


class Templates:
    """Implements SendersTemplates: one, which may be out of reach."""

    def __init__(self, template: ReadyTemplate = WELCOME, *, is_down: bool = False) -> None:
        self._template = template
        self._is_down = is_down
        self.asked: list[TemplateName] = []

    async def get(self, name: TemplateName) -> ReadyTemplate:
        self.asked.append(name)
        if self._is_down:
            raise StoreError("the test has pulled the plug")
        if name.name not in (self._template.id, self._template.alias):
            raise NotFound(f"template {name.name}")
        return self._template


def made(reference: TemplateReference, templates: Templates) -> Mail:
    mail = Mail(
        recipients=(ForwardPath(address="bob@example.com", domain="example.com"),),
        content=reference,
        wishes=(Wishes("", Options(track_opens=False)),),
    )
    return asyncio.run(formed(mail, a_principal(), templates))


def test_what_is_published_becomes_a_form_with_the_data_over_the_defaults() -> None:
    mail = made(TemplateReference("welcome", {"name": "Bob"}), Templates())
    assert isinstance(mail.content, Form)
    assert mail.content.fields == WELCOME.fields
    assert msgspec.json.decode(mail.content.shared) == {"name": "Bob", "shop": "us"}
    assert [wish.options.track_opens for wish in mail.wishes] == [
        False,
        True,
    ]  # the message's own count first


def test_what_the_message_says_itself_goes_before_what_the_template_says() -> None:
    file = Attachment("a.txt", "text/plain", b"x")
    own = Fields(author=(ANN,), headers=(("x-b", "own"), ("X-C", "c")), attachments=(file,), reply_to=(SHOP,))
    mail = made(TemplateReference("welcome", {}, own), Templates())
    assert isinstance(mail.content, Form)
    fields = mail.content.fields
    assert (fields.author, fields.reply_to, fields.attachments) == ((ANN,), (SHOP,), (file,))
    assert (fields.subject, fields.html) == ("Hello {{name}}", "<p>{{name}}")
    assert fields.headers == (("X-A", "a"), ("x-b", "own"), ("X-C", "c"))


@pytest.mark.parametrize(("said", "name"), [("7", 7), ("welcome", "welcome")])
def test_a_number_is_an_id_and_all_else_an_alias_of_the_senders_account(said: str, name: int | str) -> None:
    templates = Templates()
    made(TemplateReference(said), templates)
    principal = a_principal()
    server = principal.server.id if principal.server is not None else None
    assert templates.asked == [TemplateName(principal.account.id, server, name)]


@pytest.mark.parametrize(
    ("reference", "templates", "reason", "field"),
    [
        (TemplateReference("welcom"), Templates(), Reason.FIELD, "template"),
        (TemplateReference("welcome"), Templates(is_down=True), Reason.LOGIN_UNCHECKED, ""),
        (
            TemplateReference("welcome"),
            Templates(msgspec.structs.replace(WELCOME, fields=Fields(author=(), text="x"))),
            Reason.FIELD,
            "from",
        ),
    ],
)
def test_what_is_wrong_with_the_name_is_a_problem_of_that_mail(
    reference: TemplateReference, templates: Templates, reason: Reason, field: str
) -> None:
    (problem,) = made(reference, templates).problems
    assert (problem.reason, problem.field) == (reason, field)
