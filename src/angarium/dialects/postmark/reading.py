"""Bodies and queries as clients of Postmark's write them: names in any case, null and "" for what is not said. Pure.

What is unknown is ignored: clients of many ages send fields that nobody reads.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from angarium.dialects.postmark.problem import BAD_FIELD, BAD_JSON, PostmarkProblem

_FREE: Final = frozenset(("metadata", "templatemodel", "testrendermodel"))
"""Fields whose names within are the sender's own."""
_DEEPEST: Final = 6
"""Levels of a body that have names of Postmark's; what lies deeper is somebody's data."""


class Given(msgspec.Struct, kw_only=True, rename=lambda name: name.replace("_", "")):
    """A body or a query; its fields, `html_body`, are written `HtmlBody`, in any case. None: not said."""


G = TypeVar("G", bound=Given)


def decoded(data: bytes) -> Any:
    """Return a body of JSON; None for an empty one. Raises PostmarkProblem."""
    if not data.strip():
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PostmarkProblem(BAD_JSON, f"Invalid JSON: {error}") from error
    except RecursionError as error:
        raise PostmarkProblem(
            BAD_JSON, "Invalid JSON: it is nested too deeply; send fewer levels."
        ) from error


def body_of(value: Any, kind: type[G]) -> G:
    """Return a decoded body as a *kind*; null is one that says nothing. Raises PostmarkProblem."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise PostmarkProblem(BAD_JSON, "Invalid JSON: the body must be one object.")
    return _given(value, kind, strict=True)


def query_of(pairs: Iterable[tuple[str, str]], kind: type[G]) -> G:
    """Return a query as a *kind*: names also with underscores; of one given twice the last counts. What begins with
    `metadata_` is gathered in the field `metadata`, where there is one. Raises PostmarkProblem.
    """
    said: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    for name, text in pairs:
        if name.lower().startswith("metadata_"):
            metadata[name[len("metadata_") :]] = text
        else:
            said[name.replace("_", "")] = text
    return _given({**said, **({"metadata": metadata} if metadata else {})}, kind, strict=False)


def _given(value: Mapping[str, Any], kind: type[G], *, strict: bool) -> G:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    said: dict[str, Any] = {}
    wrong: list[str] = []
    for name, each in value.items():
        low = name.lower()
        if low not in fields or each is None or each == "":
            continue
        said[low] = each if low in _FREE else _lowered(each, _DEEPEST)
        if isinstance(each, str) and not strict and "\0" in each:  # no database takes it in a question
            wrong.append(name[:100])
            continue
        try:
            msgspec.convert(said[low], fields[low], strict=strict)
        except msgspec.ValidationError:
            wrong.append(name[:100])
    if wrong:
        names = ", ".join(f"'{name}'" for name in wrong[:20])
        raise PostmarkProblem(BAD_FIELD, f"Invalid request field(s): {names}.")
    return msgspec.convert(said, kind, strict=strict)


def _lowered(value: Any, levels: int) -> Any:
    """Return *value* with the names in it in lower case, and without what is null."""
    if isinstance(value, list) and levels:
        return [_lowered(each, levels - 1) for each in value]
    if not isinstance(value, dict) or not levels:
        return value
    return {
        name.lower(): each if name.lower() in _FREE else _lowered(each, levels - 1)
        for name, each in value.items()
        if each is not None
    }
