"""Forms on their way in: what they look like before anything is put in, and what of them is stored. Pure."""

from typing import Final

import msgspec
from msgspec.structs import replace

from angarium.core.fields import Fields, Form, NamedMailbox, written_form
from angarium.core.options import Options
from angarium.core.submission import EntrancePolicy, Problem, Raw, Reason
from angarium.mime.build.message import head_of
from angarium.mime.header import HeaderBlock, Span
from angarium.render.forms import CompiledForm, FormProblems
from angarium.submission.intake.draft import MessageDraft

_SOMEBODY: Final = "x"
_MARKS: Final = "{}$"


def form_problems(form: Form) -> tuple[Problem, ...]:
    """Return what is wrong with a form for everybody: templates that cannot be compiled, and an author at nobody's
    domain. What is compiled here is compiled for the attempts, too.
    """
    author = form.fields.author[0].address if form.fields.author else ""
    if not author:
        return (Problem(Reason.FIELD, "from", facts={"why": "is missing"}),)
    if form.language and any(mark in author.rpartition("@")[2] for mark in _MARKS):
        why = "has a template behind the @; the author's domain has to be the same for all"
        return (Problem(Reason.FIELD, "from", facts={"why": why}),)
    try:
        CompiledForm(form, Options())
    except FormProblems as problems:
        facts = [{"why": str(each)} for each in problems.problems]
        return tuple(Problem(Reason.FIELD, problems.part, facts=each) for each in facts)
    except msgspec.MsgspecError as error:
        return (Problem(Reason.FIELD, "data", facts={"why": str(error)}),)
    return ()


def sample_of(form: Form) -> Raw:
    """Return the header block of a form as nobody gets it. Raises ValueError for an address that cannot be one."""
    head = _head(form.fields) + b"\r\n"
    return Raw(head, head, eight_bit=False, long_lines=False)


def _head(fields: Fields) -> bytes:
    return head_of(
        replace(fields, author=tuple(map(_literal, fields.author)), to=(), cc=(), reply_to=())
    ).encode()


def _literal(author: NamedMailbox) -> NamedMailbox:
    """Return an author whose address has no template in it: the domain is what counts."""
    local, _, domain = author.address.rpartition("@")
    is_template = any(mark in local for mark in _MARKS)
    return NamedMailbox(f"{_SOMEBODY if is_template else local}@{domain}", author.name)


def stored_form(form: Form, header: HeaderBlock, draft: MessageDraft, policy: EntrancePolicy) -> Raw:
    """Return what is stored of a form whose header block is *header*: without the fields that *draft* takes out."""
    gone = {_name_at(header, span) for span in draft.spans}
    headers = tuple((name, text) for name, text in form.fields.headers if name.lower().encode() not in gone)
    fields = replace(form.fields, headers=headers)
    stored = written_form(replace(form, fields=fields, hostname=policy.hostname), _head(fields))
    return Raw(stored, stored, eight_bit=False, long_lines=False)


def _name_at(header: HeaderBlock, span: Span) -> bytes:
    return header.raw[span[0] : span[1]].partition(b":")[0].strip().lower()


def without_id(draft: MessageDraft) -> MessageDraft:
    """Return *draft* without a Message-ID for all: each recipient of a form has another."""
    silent = tuple(each for each in draft.silent if each != b"message-id")
    return draft._replace(replaces_id=False, silent=silent)
