"""A template as whoever sends needs it: its layout put around, its snippets found; nothing in it changes any more."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from angarium.assets.templates.records import TemplateContent
from angarium.core.fields import Fields, Form, Language
from angarium.core.options import NO_OPTIONS, Options
from angarium.render.languages.escaping import Context

PLACE: Final = re.compile(r"\{\{\{\s*+@content\s*+\}\}\}")
"""Where a layout has what it is put around."""
Part = Literal["text", "html", "amp"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

_encode: Final = msgspec.json.Encoder().encode


class ReadyTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """*version* is the number of what it says; with the *id* it names these *fields*, which are texts in *language*.
    `Fields.author` is empty where whoever sends has to name one. *is_strict*: a value that is not in the data fails.
    *defaults* stand for what is missing. *snippets* are as in `Form`. *options* are a layer below the message's own.
    """

    id: int
    account: int
    server: int | None
    alias: str
    name: str
    version: int
    is_draft: bool
    fields: Fields
    language: Language
    is_strict: bool = False
    defaults: Mapping[str, Any] = {}
    snippets: Mapping[str, Mapping[str, str]] = {}
    options: Options = NO_OPTIONS

    def form(self, shared: Mapping[str, Any] | None = None, *, fields: Fields | None = None) -> Form:
        """Return what is filled in for each recipient, with what all of them have. *fields* are those of the template
        with what the message says itself; None: it says nothing.
        """
        data = {**self.defaults, **(shared or {})}
        return Form(
            fields=fields or self.fields,
            language=self.language,
            is_strict=self.is_strict,
            shared=_encode(data) if data else b"",
            snippets=self.snippets,
        )

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        parts = [text for _, text in parts_of(self.fields)]
        pieces = [text for snippet in self.snippets.values() for text in snippet.values()]
        return 2_000 + 2 * sum(map(len, (*parts, *pieces)))


def fields_of(content: TemplateContent, layout: TemplateContent | None) -> Fields:
    """Return what *content* says, with *layout* put around its parts. A part that the layout has not stays as it is."""
    fields = Fields(
        author=(content.author,) if content.author is not None else (),
        subject=content.subject,
        reply_to=content.reply_to,
        headers=content.headers,
        text=content.text,
        html=content.html,
        amp=content.amp,
    )
    if layout is None:
        return fields
    within = {part: _within(text, getattr(layout, part)) for part, text in parts_of(content)}
    return msgspec.structs.replace(fields, **within)


def parts_of(content: TemplateContent | Fields) -> Iterator[tuple[Part, str]]:
    """Yield the parts that there are."""
    for part in PARTS:
        text = getattr(content, part)
        if text is not None:
            yield part, text


def context_of(part: Part) -> Context:
    """Return what the template of a part makes."""
    return "text" if part == "text" else "html"


def defaults_of(content: TemplateContent) -> Mapping[str, Any]:
    """Return what stands for what is missing."""
    return content.variables if content.missing == "default" else {}


def _within(part: str, around: str | None) -> str:
    place = PLACE.search(around or "")
    return part if around is None or place is None else around[: place.start()] + part + around[place.end() :]
