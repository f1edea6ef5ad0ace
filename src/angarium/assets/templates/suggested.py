"""Data that a template could be tried with, made of what it asks for."""

from typing import Any

from angarium.assets.templates.records import TemplateContent
from angarium.assets.templates.validation import texts_of
from angarium.render.languages.compiled import MustachioTemplate, compile_template
from angarium.render.languages.mustachio.nodes import MustachioNode
from angarium.render.languages.mustachio.suggested import suggested_model


def suggested_data(content: TemplateContent) -> dict[str, Any] | None:
    """Return an object with a value for all that a good *content* asks for, None where its language says too little."""
    if content.language != "mustachio":
        return None
    nodes: list[MustachioNode] = []
    for _, text, context in texts_of(content):
        template = compile_template(content.language, text, context)
        assert isinstance(template, MustachioTemplate)
        nodes += template.nodes
    return suggested_model(nodes)
