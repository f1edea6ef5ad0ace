"""Turns JSON bodies and query strings into records, and says everything that is wrong with them at once. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from angarium.core.suggest import closest
from angarium.http.api.problem import FieldError, HttpProblem

MOST_ERRORS: Final = 20
"""Wrong fields that one answer tells of."""
LONGEST_ECHO: Final = 200
"""Characters of one name or sentence that are said back."""

T = TypeVar("T", bound=msgspec.Struct)

_PLACE = re.compile(r" - at `(\$[^`]*)`$")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")


def _number(text: str) -> int | float:
    """Return a number with a point or an exponent; 5.0 is an integer (JSON Schema, validation, 6.1.1)."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


_EXACT: Final = 2**53
_JSON: Final = msgspec.json.Decoder(float_hook=_number)


def decode_body(data: bytes, kind: type[T]) -> T:
    """Return the JSON document *data* as a *kind*. Raises HttpProblem with an error for each wrong field."""
    try:
        value = _JSON.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HttpProblem("invalid", f"the body is not JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise HttpProblem("invalid", "the body is nested too deeply; send fewer levels") from error
    if not isinstance(value, dict):
        raise HttpProblem("invalid", f"the body must be a JSON object with: {_names(kind)}")
    return convert(value, kind, prefix="/", strict=True)


def decode_query(pairs: Iterable[tuple[str, str]], kind: type[T]) -> T:
    """Return the parameters of a query string as a *kind*. Raises HttpProblem; a parameter may be given once."""
    value: dict[str, Any] = {}
    for name, text in pairs:
        if name in value:
            raise HttpProblem("invalid", f"the parameter {name} is given twice; give it once")
        value[name] = text
    return convert(value, kind, prefix="", strict=False)


def convert(value: Mapping[str, Any], kind: type[T], *, prefix: str, strict: bool) -> T:
    """Return *value* as a *kind*. *prefix* goes before the names in pointers."""
    found = _errors(value, kind, prefix, strict)
    errors = list(islice(found, MOST_ERRORS))
    if errors:
        if next(found, None) is not None:
            errors.append(FieldError("", f"there is more that is wrong; these are the first {MOST_ERRORS}"))
        sentences = "; ".join(f"{error.pointer}: {error.detail}" for error in errors)
        raise HttpProblem("invalid", sentences, errors)
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:  # of fields that do not go together
        raise HttpProblem("invalid", _shown(str(error))) from error


def _errors(
    value: Mapping[str, Any], kind: type[msgspec.Struct], prefix: str, strict: bool
) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields:
            yield FieldError(prefix + _shown(_escaped(name)), f"is unknown; {_known(name, list(fields))}")
    for name, field in fields.items():
        if name in value:
            yield from _field_error(value[name], field.type, prefix + name, strict)
        elif field.required:
            yield FieldError(prefix + name, "is missing")


def _field_error(value: Any, kind: Any, pointer: str, strict: bool) -> Iterator[FieldError]:
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _PLACE.search(text)
        steps = [first or second for first, second in _STEP.findall(place[1])] if place else []
        message = text[: place.start()] if place else text
        yield FieldError(_shown("/".join([pointer, *steps])), _said(message, kind, steps))


def _said(message: str, kind: Any, steps: list[str]) -> str:
    """Return msgspec's sentence as ours; what is not known is told with what is."""
    name = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    if name is None:
        return _shown(message[:1].lower() + message[1:].replace("`", ""))
    return (
        f"{_shown(name[1])} is unknown; {_known(name[1], _allowed(msgspec.inspect.type_info(kind), steps))}"
    )


def _allowed(info: Any, steps: list[str]) -> list[str]:
    """Return the names of the fields of the record that *steps* lead to."""
    if isinstance(info, msgspec.inspect.UnionType):
        found = (_allowed(choice, steps) for choice in info.types)
        return next((names for names in found if names), [])
    if isinstance(info, msgspec.inspect.StructType):
        if not steps:
            return [field.encode_name for field in info.fields]
        inner = (field.type for field in info.fields if field.encode_name == steps[0])
        return next((_allowed(kind, steps[1:]) for kind in inner), [])
    items = getattr(info, "item_type", None) or getattr(info, "value_type", None)
    return _allowed(items, steps[1:]) if items is not None and steps else []


def _known(name: str, allowed: list[str]) -> str:
    near = closest(name, allowed)
    guess = f"did you mean {near}? " if near else ""
    return f"{guess}known are: {', '.join(allowed) or 'none'}"


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_ECHO else text[:LONGEST_ECHO] + "…"


def _names(kind: type[msgspec.Struct]) -> str:
    return ", ".join(field.encode_name for field in msgspec.structs.fields(kind))


def _escaped(name: str) -> str:
    """Write a name as a step of a JSON pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")
