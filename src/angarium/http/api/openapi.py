"""The OpenAPI document of an API (OpenAPI 3.1), made from its table of endpoints. Pure."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from angarium.http.api.endpoint import Api, Endpoint
from angarium.http.api.problem import MEDIA_TYPE, SORTS, ProblemBody
from angarium.http.api.stream import LINES_TYPE
from angarium.http.api.stream import MEDIA_TYPE as EVENT_STREAM

_REF = "#/components/schemas/{name}"
_ALWAYS = ("invalid", "internal", "unavailable")
_FOR_KEYS = ("not-authenticated", "not-allowed")
_KEY = {"type": "http", "scheme": "bearer", "description": "An API key."}

Schema = dict[str, Any]


def document(api: Api) -> Schema:
    """Return the document for *api*. A kind of body may say by `RULE`, in JSON Schema, which fields go together."""
    kinds = _kinds(api.told)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    by_kind = dict(zip(kinds, schemas, strict=True))
    for kind, schema in by_kind.items():
        components.get(_named(schema), {}).update(getattr(kind, "RULE", {}))
    paths: dict[str, Schema] = {}
    for endpoint in api.told:
        operation = _operation(api, endpoint, by_kind, components)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": api.version, "description": api.description},
        "servers": [{"url": api.prefix}],
        "security": [{"key": []}] if api.wants_key else [],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {name: _problem(name) for name in SORTS},
            "securitySchemes": {"key": _KEY} if api.wants_key else {},
        },
    }


def _named(schema: Schema) -> str:
    """Return the name of the component that *schema* refers to, where it does."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _kinds(endpoints: Iterable[Endpoint]) -> list[Any]:
    found: dict[Any, None] = {ProblemBody: None}
    for endpoint in endpoints:
        for kind in (endpoint.body, endpoint.query, *endpoint.answers):
            if kind is not None:
                found[kind] = None
    return list(found)


def _problem(name: str) -> Schema:
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name=ProblemBody.__name__)}}}
    return {"description": SORTS[name].title, "content": content}


def _operation(
    api: Api, endpoint: Endpoint, by_kind: dict[Any, Schema], components: dict[str, Schema]
) -> Schema:
    first, _, rest = endpoint.summary.partition(". ")
    needs = f"Needs the grant `{endpoint.grant}`." if endpoint.grant else "Any key will do." * api.wants_key
    operation: Schema = {
        "operationId": endpoint.handler.__name__,
        "tags": [endpoint.path.split("/")[1]],
        "summary": first.rstrip("."),
        "description": f"{rest} {needs}".strip(),
        "parameters": [
            *_in_path(endpoint),
            *_in_query(endpoint, by_kind, components),
            *_in_header(endpoint),
        ],
        "responses": _responses(api, endpoint, by_kind),
    }
    if endpoint.body is not None:
        content = {"application/json": {"schema": by_kind[endpoint.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _in_path(endpoint: Endpoint) -> list[Schema]:
    names = re.findall(r"\{(\w+)\}", endpoint.path)
    kinds = endpoint.parameters
    return [
        {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(kinds[name])}
        for name in names
    ]


def _in_query(endpoint: Endpoint, by_kind: dict[Any, Schema], components: dict[str, Schema]) -> list[Schema]:
    if endpoint.query is None:
        return []
    schema = components[_named(by_kind[endpoint.query])]
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": kind}
        for name, kind in schema["properties"].items()
    ]


def _in_header(endpoint: Endpoint) -> list[Schema]:
    return [
        {"name": name, "in": "header", "description": said, "schema": {"type": "string"}}
        for name, said in endpoint.headers
    ]


def _responses(api: Api, endpoint: Endpoint, by_kind: dict[Any, Schema]) -> Schema:
    done: Schema = {"description": "Done."}
    if endpoint.answers:
        media_type = "application/json"
        if endpoint.streams:
            media_type = LINES_TYPE if endpoint.lines else EVENT_STREAM
        schemas = [by_kind[kind] for kind in endpoint.answers]
        done["content"] = {media_type: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}
    if endpoint.media:
        done["content"] = {endpoint.media: {"schema": {"type": "string", "format": "binary"}}}
    names = [*_ALWAYS, *(_FOR_KEYS if api.wants_key else ()), *endpoint.problems]
    if api.refusals or endpoint.conflicts:
        names += ["conflict"]
    if endpoint.body is not None:
        names += ["too-large", "media-type"]
    if endpoint.names_things:
        names += ["not-found"]
    problems = {str(SORTS[name].status): {"$ref": f"#/components/responses/{name}"} for name in names}
    also = _also(endpoint, problems, done)
    return {str(endpoint.status): done, **dict(sorted((problems | also).items()))}


def _also(endpoint: Endpoint, problems: dict[str, Schema], done: Schema) -> dict[str, Schema]:
    """Return the further statuses with the same answer; of those that are a problem's it is one of two."""
    told: dict[str, Schema] = {}
    for status in map(str, endpoint.also):
        told[status] = done
        if status in problems:
            name = problems[status]["$ref"].rpartition("/")[2]
            told[status] = {
                "description": f"{SORTS[name].title}, or nothing of all that was asked could be done.",
                "content": {**_problem(name)["content"], **done["content"]},
            }
    return told
