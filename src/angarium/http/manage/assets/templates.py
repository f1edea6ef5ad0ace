"""The manage API: templates and layouts."""

from collections.abc import Mapping
from typing import Any

from angarium.assets.store.templates import SavedTemplate
from angarium.assets.templates.preview import preview
from angarium.assets.templates.problems import ContentProblems
from angarium.assets.templates.records import CONTENT_FIELDS, StoredTemplate, TemplateContent
from angarium.assets.templates.suggested import suggested_data
from angarium.core.fields import NamedMailbox
from angarium.core.options import NO_OPTIONS
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.assets.bodies import (
    PreviewBody,
    TemplateChange,
    TemplateMailbox,
    TemplateNew,
    TemplateQuery,
    TemplatesQuery,
    TemplateTried,
)
from angarium.http.manage.assets.views import (
    PreviewView,
    TemplateCheck,
    TemplateText,
    TemplateView,
    preview_view,
    problem_views,
    template_text,
    template_view,
)
from angarium.http.manage.bodies import OptionsBody, options_with, said
from angarium.http.manage.call import Call
from angarium.http.manage.views import Page

_BESIDE = ("publish", "kind", "server", "account", "data")


def list_templates(call: Call, query: TemplatesQuery) -> Page[TemplateView]:
    """List templates, without what they say."""
    rows = call.store.templates.page(
        call.listed(query.account),
        query.after,
        query.limit + 1,
        server=query.server,
        kind=query.kind,
        layout=query.layout,
    )
    return call.page(rows, query, template_view, lambda row: row.id)


def create_template(call: Call, body: TemplateNew) -> TemplateText:
    """Make a template: a draft, or with `publish` what mail is made of at once."""
    account = call.account_of(body.account)
    fields = _fields(call, body, account, TemplateContent())
    content = TemplateContent(**{name: fields.pop(name) for name in CONTENT_FIELDS if name in fields})
    try:
        saved = call.store.templates.create(
            account,
            content=content,
            server=body.server,
            kind=body.kind,
            publish=body.publish,
            actor=call.actor,
            **fields,
        )
    except ContentProblems as wrong:
        raise refused(wrong) from wrong
    return _saved(call, saved)


def show_template(call: Call, template: str, query: TemplateQuery) -> TemplateText:
    """Show a template with what it says: the newest version, or with `draft` the draft or what is published."""
    found = template_of(call, template)
    return template_text(found, call.store.templates.version(found.id, draft=query.draft))


def change_template(call: Call, template: str, body: TemplateChange) -> TemplateText:
    """Change a template: what is said, and nothing else. Its draft is changed, and with `publish` what mail is made of
    is changed, too; with `publish` alone the draft is published.
    """
    found = template_of(call, template)
    old = call.store.templates.version(found.id).content
    fields = _fields(call, body, found.account, old)
    try:
        saved = call.store.templates.change(found.id, publish=body.publish, actor=call.actor, **fields)
    except ContentProblems as wrong:
        raise refused(wrong) from wrong
    return _saved(call, saved)


def publish_template(call: Call, template: str) -> TemplateView:
    """Have mail made of the draft from now on."""
    found = template_of(call, template)
    return template_view(call.store.templates.publish(found.id, actor=call.actor))


def discard_draft(call: Call, template: str) -> TemplateView:
    """Forget the draft; what is published stays."""
    found = template_of(call, template)
    return template_view(call.store.templates.discard(found.id, actor=call.actor))


def delete_template(call: Call, template: str) -> None:
    """Delete a template. A layout is only deleted when it is put around nothing."""
    call.store.templates.delete(template_of(call, template).id, actor=call.actor)


def preview_template(call: Call, template: str, body: PreviewBody) -> PreviewView:
    """Show what a template makes of some data."""
    found = template_of(call, template)
    draft = None if body.draft else False
    version = call.store.templates.version(found.id, draft=draft)
    ready = call.store.ready_templates.of(found, draft=draft)
    return preview_view(preview(ready, {**version.content.variables, **body.data}))


def validate_template(call: Call, body: TemplateTried) -> TemplateCheck:
    """Say whether a template could be saved, all that is wrong with it, and what it makes of some data."""
    account = call.account_of(body.account)
    fields = _fields(call, body, account, TemplateContent())
    content = TemplateContent(**{name: fields[name] for name in CONTENT_FIELDS if name in fields})
    try:
        named = {name: value for name, value in fields.items() if name not in CONTENT_FIELDS}
        checked = call.store.templates.check(account, body.kind, content, body.server, **named)
    except ContentProblems as wrong:
        return TemplateCheck(False, problem_views(wrong.problems), [], None, None)
    shown, suggested = None, None
    if not checked.problems:
        suggested = suggested_data(content)
        ready = call.store.ready_templates.tried(account, content)
        shown = preview_view(preview(ready, {**(suggested or {}), **content.variables, **body.data}))
    return TemplateCheck(
        not checked.problems,
        problem_views(checked.problems),
        problem_views(checked.warnings),
        shown,
        suggested,
    )


def template_of(call: Call, name: str) -> StoredTemplate:
    """Return the template with the id or the alias *name*. Raises NotFound, Conflict."""
    if name.isascii() and name.isdecimal() and len(name) < 19:
        found = call.store.templates.get(int(name))
        call.sees(found.account, f"template {name}")
        return found
    return call.store.templates.named(call.caller.account.id, name)


def refused(wrong: ContentProblems) -> HttpProblem:
    """Return what is answered to a content that is not saved."""
    errors = [FieldError(f"/{each.part}", each.problem) for each in wrong.problems]
    return HttpProblem("invalid", str(wrong).replace("\n", "; "), errors)


def _saved(call: Call, saved: SavedTemplate) -> TemplateText:
    template, warnings = saved
    return template_text(template, call.store.templates.version(template.id), warnings)


def _fields(call: Call, body: TemplateChange, account: int, old: TemplateContent) -> dict[str, Any]:
    """Return what *body* says as fields of a template and its content."""
    fields = {name: value for name, value in said(body).items() if name not in _BESIDE}
    for name, read in _READ.items():
        if name in fields:
            fields[name] = read(fields[name])
    if "layout" in fields:
        fields["layout"] = _layout(call, account, fields["layout"])
    if isinstance(fields.get("options"), OptionsBody):
        fields["options"] = options_with(old.options or NO_OPTIONS, fields["options"])
        call.may_choose(fields, old.options)
    return fields


def _layout(call: Call, account: int, name: int | str | None) -> int | None:
    if name in (None, ""):
        return None
    return name if isinstance(name, int) else call.store.templates.named(account, name or "").id


def _mailbox(given: TemplateMailbox | None) -> NamedMailbox | None:
    return None if given is None else NamedMailbox(given.address, given.name)


def _header_fields(given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(given.items())


_READ: dict[str, Any] = {
    "author": _mailbox,
    "reply_to": lambda given: tuple(map(_mailbox, given)),
    "headers": _header_fields,
    "alias": lambda given: given or "",
}
