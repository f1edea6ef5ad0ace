"""What a template makes of some data, before it is sent. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from angarium.assets.templates.ready import Part, ReadyTemplate, context_of
from angarium.core.fields import NamedMailbox
from angarium.render.css import inlined_css
from angarium.render.languages.compiled import TemplateSurroundings, compile_template
from angarium.render.languages.escaping import Context
from angarium.render.languages.problem import TemplateFailure, TemplateProblems


class TemplatePreview(msgspec.Struct, frozen=True, kw_only=True):
    """What every text has become. *failures* say by part why it could not be rendered; it is None or empty then."""

    subject: str = ""
    author: NamedMailbox | None = None
    reply_to: tuple[NamedMailbox, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    html: str | None = None
    amp: str | None = None
    failures: Mapping[str, str] = {}


def preview(template: ReadyTemplate, data: Mapping[str, Any]) -> TemplatePreview:
    """Return what *template* makes of *data*, which is what all recipients have and what one has together."""
    return _Writing(template, data).all()


class _Writing:
    def __init__(self, template: ReadyTemplate, data: Mapping[str, Any]) -> None:
        self._template = template
        self._data = {**template.defaults, **data}
        self._failures: dict[str, str] = {}

    def all(self) -> TemplatePreview:
        fields = self._template.fields
        author = [self._mailbox(each, "from") for each in fields.author]
        return TemplatePreview(
            subject=self._written(fields.subject, "header", "subject"),
            author=author[0] if author else None,
            reply_to=tuple(self._mailbox(each, "reply_to") for each in fields.reply_to),
            headers=tuple(
                (name, self._written(text, "header", f"headers/{name}")) for name, text in fields.headers
            ),
            text=self._part("text"),
            html=self._part("html"),
            amp=self._part("amp"),
            failures=self._failures,
        )

    def _mailbox(self, mailbox: NamedMailbox, part: str) -> NamedMailbox:
        written = (self._written(text, "header", part) for text in mailbox)
        return NamedMailbox(*written)

    def _part(self, name: Part) -> str | None:
        text = getattr(self._template.fields, name)
        if text is None:
            return None
        if name == "html" and self._template.options.inline_css:
            text = inlined_css(text.encode("utf-8", "replace"), "utf-8").decode()
        written = self._written(text, context_of(name), name)
        return None if name in self._failures else written

    def _written(self, text: str, context: Context, part: str) -> str:
        """Return a text as it is rendered; of one that cannot be the reason is kept."""
        template, snippets = self._template, self._template.snippets
        around = TemplateSurroundings(self._data, lambda name: snippets.get(name, {}).get(part))
        try:
            compiled = compile_template(template.language, text, context, is_strict=template.is_strict)
            return compiled.render(self._data, around)
        except (TemplateFailure, TemplateProblems) as failure:
            self._failures.setdefault(part, str(failure))
            return ""
