"""The pages of the manage API's endpoints, from its OpenAPI document."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from angarium.documentation.page import DocSource
from angarium.http.api.openapi import document
from angarium.http.manage.table import MANAGE

Schema = dict[str, Any]

_DEEPEST: Final = 2
"""How many levels of a body or an answer are shown: what is deeper is in the document itself."""
_NAME = re.compile(r"[^a-z0-9]+")


def endpoint_pages() -> Iterator[DocSource]:
    """Give a page for each method of each path."""
    api = document(MANAGE)
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            title = f"{method.upper()} {MANAGE.prefix}{path}"
            yield DocSource(
                f"endpoints/{_file(method, path)}", "\n".join(_lines(title, operation, api)), "endpoint"
            )


def _file(method: str, path: str) -> str:
    return f"{method}-{_NAME.sub('-', path.lower()).strip('-')}"


def _lines(title: str, operation: Schema, api: Schema) -> Iterator[str]:
    yield f"# `{title}`\n\n{operation['summary']}.\n\n{operation.get('description', '')}\n"
    for place, heading in (("path", "In the path"), ("query", "In the query string")):
        named = [each for each in operation.get("parameters", ()) if each["in"] == place]
        if named:
            rows = [(each["name"], each["schema"], not each.get("required")) for each in named]
            yield from _table(heading, rows, api)
    if body := operation.get("requestBody"):
        yield from _content("Body", body, api)
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield from _content(f"Answer {status}", answer, api)
    errors = [status for status in operation["responses"] if not status.startswith("2")]
    yield f"\nErrors, as problem+json: {', '.join(errors)}. [The API](../manage-api.md)\n"


def _content(heading: str, part: Schema, api: Schema) -> Iterator[str]:
    for media, content in part.get("content", {}).items():
        fields = list(_fields(content.get("schema", {}), api, "", _DEEPEST))
        yield from _table(f"{heading}: {media}", fields, api)
        return
    yield f"\n## {heading}\n\nNo body.\n"


def _table(heading: str, fields: Iterable[tuple[str, Schema, bool]], api: Schema) -> Iterator[str]:
    yield f"\n## {heading}\n\n| | | |\n|---|---|---|"
    for name, schema, is_optional in fields:
        wants = "" if not is_optional else _default(schema)
        yield f"| `{name}` | {_kind(schema, api)} | {wants} |"
    yield ""


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "may be left out" if default in (None, "", [], {}) else f"default: `{default}`"


def _fields(schema: Schema, api: Schema, prefix: str, depth: int) -> Iterator[tuple[str, Schema, bool]]:
    """Give the fields of an object by their paths, in the order they have there."""
    schema = _resolved(schema, api)
    if schema.get("type") == "array":
        schema, prefix = _resolved(schema["items"], api), f"{prefix}[]"
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path, inner, name not in required
        if depth > 1:
            yield from _fields(inner, api, path, depth - 1)


def _resolved(schema: Schema, api: Schema) -> Schema:
    while reference := schema.get("$ref"):
        found: Any = api
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _kind(schema: Schema, api: Schema) -> str:
    """Return what a value is, in a few words."""
    schema = _resolved(schema, api)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_kind(each, api) for each in choices))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema['items'], api)}"
    most = schema.get("maximum", 2**63)
    if kind == "integer" and "minimum" in schema and most < 2**53:
        return f"integer, {schema['minimum']:,} to {most:,}"
    if kind == "string" and "maxLength" in schema:
        return f"string, at most {schema['maxLength']:,} characters"
    return str(kind)
