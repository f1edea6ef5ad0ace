"""Mail that names a template: what is published of it, with what the request says itself, becomes a form."""

from typing import Protocol

import msgspec

from angarium.assets.known import TemplateName
from angarium.assets.templates.ready import ReadyTemplate
from angarium.core.fields import Fields, Form
from angarium.core.options import NO_OPTIONS
from angarium.core.submission import Problem, Reason, TemplateReference, Wishes
from angarium.identity.principal import Principal
from angarium.sql.errors import NotFound, StoreError
from angarium.submission.requests.mail import Mail


class SendersTemplates(Protocol):
    """Templates of senders; `assets.known.KnownTemplates` is one."""

    async def get(self, name: TemplateName) -> ReadyTemplate:
        """Return a template. Raises NotFound, StoreError."""
        ...


async def formed(mail: Mail, principal: Principal, templates: SendersTemplates | None) -> Mail:
    """Return *mail* with the form of the template that it names; other mail as it is. What is wrong with the name is
    one of its problems then.
    """
    content = mail.content
    if not isinstance(content, TemplateReference) or templates is None:
        return mail
    server = principal.server.id if principal.server is not None else None
    name = name_of(content.template)
    try:
        template = await templates.get(TemplateName(principal.account.id, server, name))
    except NotFound as error:
        return _wrong(mail, Problem(Reason.FIELD, "template", facts={"why": f"is not known: {error}"}))
    except StoreError:
        return _wrong(mail, Problem(Reason.LOGIN_UNCHECKED))
    form = form_of(content, template)
    if not form.fields.author:
        why = "is missing, and the template names none"
        return _wrong(mail, Problem(Reason.FIELD, "from", facts={"why": why}))
    wishes = mail.wishes
    if template.options != NO_OPTIONS:
        wishes = (*wishes, Wishes("", template.options))
    return msgspec.structs.replace(mail, content=form, wishes=wishes)


def form_of(content: TemplateReference, template: ReadyTemplate) -> Form:
    """Return the form of *template* with what the message says itself, which goes before what the template says."""
    own, fields = content.fields, template.fields
    if own is not None:
        fields = msgspec.structs.replace(
            fields,
            author=own.author or fields.author,
            subject=own.subject or fields.subject,
            reply_to=own.reply_to or fields.reply_to,
            headers=_headers(own, fields),
            attachments=own.attachments,
        )
    return template.form(content.data, fields=fields)


def _headers(own: Fields, fields: Fields) -> tuple[tuple[str, str], ...]:
    said = {name.lower() for name, _ in own.headers}
    return (*(each for each in fields.headers if each[0].lower() not in said), *own.headers)


def name_of(text: str) -> int | str:
    """A number alone is an id: an alias has a letter."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else text


def _wrong(mail: Mail, problem: Problem) -> Mail:
    return msgspec.structs.replace(mail, problems=(*mail.problems, problem))
