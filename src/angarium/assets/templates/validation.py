"""Whether what a template says is good: every part is compiled, and all that is wrong is told at once. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from angarium.assets.templates.problems import ContentProblems, PartProblem, of_part
from angarium.assets.templates.ready import PLACE, Part, context_of, fields_of, parts_of
from angarium.assets.templates.records import (
    MOST_CONTENT_BYTES,
    MOST_SNIPPET_BYTES,
    TemplateContent,
    TemplateKind,
)
from angarium.core.fields import Language
from angarium.mime.build.fields import is_field_name
from angarium.render.languages.asked import asked_snippets, undeclared
from angarium.render.languages.compiled import Template, compile_template
from angarium.render.languages.escaping import Context
from angarium.render.languages.problem import TemplateProblem, TemplateProblems
from angarium.smtp.address import AddressError, parse_mailbox

OWN_FIELDS: Final = frozenset(
    ("from", "to", "cc", "bcc", "reply-to", "subject", "date", "sender", "mime-version", "received")
)
"""Header fields that a template has elsewhere, or not at all."""
MOST_HEADERS: Final = 100
LONGEST_LINE: Final = 2_000
"""Characters of a subject, a name, an address, or the text of a header field."""
_SIGNS: Final[Mapping[Language, str]] = {"mustachio": "{{", "substitution": "{{", "smarty": "{"}


class CheckedContent(NamedTuple):
    """*problems* keep it from being saved, *warnings* do not."""

    problems: list[PartProblem]
    warnings: list[PartProblem]

    def raise_problems(self) -> None:
        """Raise ContentProblems where there are any."""
        if self.problems:
            raise ContentProblems(self.problems)


def check_content(
    kind: TemplateKind,
    content: TemplateContent,
    layout: TemplateContent | None = None,
    snippets: Collection[str] = (),
) -> CheckedContent:
    """Look at all of *content*, with the *layout* that is put around it. *snippets* are those that there are."""
    problems, warnings = list(_of_whole(kind, content, layout)), []
    for part, text, context in texts_of(content):
        written = PLACE.sub(lambda place: " " * len(place[0]), text) if kind == "layout" else text
        try:
            template = compile_template(content.language, written, context)
        except TemplateProblems as wrong:
            problems += [of_part(part, each) for each in wrong.problems]
            continue
        if content.variables:
            found = undeclared(template, content.language, content.variables)
            problems += [of_part(part, each) for each in found]
        warnings += [of_part(part, each) for each in template.warnings]
        warnings += _of_snippets(part, template, snippets)
    if not problems and layout is not None:
        problems += _together(content, layout)
    return CheckedContent(problems, warnings)


def check_snippet(parts: Mapping[Part, str]) -> None:
    """See that a snippet is good in each of its *parts*. Raises ContentProblems."""
    problems: list[PartProblem] = []
    if not parts:
        problems.append(PartProblem("html", "a snippet has a part at least: write html, text or amp"))
    for part, text in parts.items():
        if len(text.encode("utf-8", "replace")) > MOST_SNIPPET_BYTES:
            problems.append(
                PartProblem(part, f"this is too long; write {MOST_SNIPPET_BYTES:,} bytes at most")
            )
            continue
        try:
            template = compile_template("substitution", text, context_of(part))
        except TemplateProblems as wrong:
            problems += [of_part(part, each) for each in wrong.problems]
            continue
        for asked in asked_snippets(template):
            found = TemplateProblem(asked.place, "a snippet asks for no other", "write its text here")
            problems.append(of_part(part, found))
    CheckedContent(problems, []).raise_problems()


def texts_of(content: TemplateContent) -> Iterator[tuple[str, str, Context]]:
    """Yield each text of *content* that is a template: its part, itself, and what it makes."""
    if content.author is not None:
        yield "from", content.author.address, "header"
        yield "from", content.author.name, "header"
    for mailbox in content.reply_to:
        yield "reply_to", mailbox.address, "header"
        yield "reply_to", mailbox.name, "header"
    yield "subject", content.subject, "header"
    for name, text in content.headers:
        yield f"headers/{name}", text, "header"
    for part, text in parts_of(content):
        yield part, text, context_of(part)


def _of_whole(
    kind: TemplateKind, content: TemplateContent, layout: TemplateContent | None
) -> Iterator[PartProblem]:
    """What is wrong apart from the language."""
    if not any(parts_of(content)):
        yield PartProblem("html", "there is no part at all: write html, text or amp")
    if len(msgspec.json.encode(content)) > MOST_CONTENT_BYTES:
        yield PartProblem("html", f"all of it is too long; write {MOST_CONTENT_BYTES:,} bytes at most")
    if content.missing == "default" and not content.variables:
        yield PartProblem("variables", "say here what stands for what is missing, or choose another rule")
    yield from _of_kind(kind, content)
    if layout is not None and layout.language != content.language:
        said = (
            f"the layout is in {layout.language}, and this in {content.language}: write both in one language"
        )
        yield PartProblem("layout", said)
    yield from _of_header(content)


def _of_kind(kind: TemplateKind, content: TemplateContent) -> Iterator[PartProblem]:
    if kind == "standard":
        return
    for part, text in parts_of(content):
        if len(PLACE.findall(text)) != 1:
            yield PartProblem(part, "a layout has {{{ @content }}} once, where the template goes")
    said = {"subject": content.subject, "from": content.author, "reply_to": content.reply_to}
    for name, value in {**said, "headers": content.headers, "layout": content.layout}.items():
        if value:
            yield PartProblem(name, "a layout has none: say it in the templates that it is put around")


def _of_header(content: TemplateContent) -> Iterator[PartProblem]:
    for part, text, context in texts_of(content):
        if context == "header" and len(text) > LONGEST_LINE:
            yield PartProblem(part, f"this is too long; write {LONGEST_LINE:,} characters at most")
    author = [content.author] if content.author is not None else []
    for part, mailboxes in (("from", author), ("reply_to", content.reply_to)):
        for mailbox in mailboxes:
            if _SIGNS[content.language] not in mailbox.address:
                yield from _of_address(part, mailbox.address)
    if len(content.headers) > MOST_HEADERS:
        yield PartProblem("headers", f"{len(content.headers)} are too many; write {MOST_HEADERS} at most")
    for name, _ in content.headers:
        if not is_field_name(name):
            yield PartProblem("headers", f"{name[:60]!r} is no name of a header field; write X-Name")
        elif name.lower() in OWN_FIELDS or name.lower().startswith("content-"):
            yield PartProblem(f"headers/{name}", "this is no field of one's own; leave it out here")


def _of_address(part: str, address: str) -> Iterator[PartProblem]:
    try:
        parse_mailbox(address, smtputf8=True)
    except AddressError as error:
        yield PartProblem(part, f"{address[:80]!r} is no address: {error}")


def _of_snippets(part: str, template: Template, known: Collection[str]) -> Iterator[PartProblem]:
    for asked in asked_snippets(template):
        if asked.name is None:
            said, hint = "only a snippet that is named can be found", "write its id in quotes"
            yield of_part(part, TemplateProblem(asked.place, said, hint))
        elif asked.name not in known:
            said = f"there is no snippet {asked.name[:60]!r} yet"
            yield of_part(part, TemplateProblem(asked.place, said, "make it before this is sent"))


def _together(content: TemplateContent, layout: TemplateContent) -> Iterator[PartProblem]:
    """What is wrong only where the layout is put around: places are those of both together."""
    fields = fields_of(content, layout)
    for part, text in parts_of(fields):
        try:
            compile_template(content.language, text, context_of(part))
        except TemplateProblems as wrong:
            for each in wrong.problems:
                yield PartProblem(part, f"with its layout put around, {each}", each)
