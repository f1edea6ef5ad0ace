"""`X-PM-*`: options as senders of Postmark write them, one field each."""

from typing import Any, Final

from angarium.core.options import Options, TrackLinks
from angarium.core.reply import Reply
from angarium.dialects.values import OptionError, Problem, Reason, name_of, shown, switch, text_of
from angarium.mime.header import Field

PREFIX: Final = b"x-pm-"
_METADATA: Final = b"x-pm-metadata-"
MAX_TAG = 1000
MAX_KEYS = 10
MAX_KEY = 20
MAX_VALUE = 80
MAX_STREAM = 30
MAX_BOUNCE_TYPE = 50

BAD_REQUEST = 300
BAD_SENDER = 400
UNKNOWN_STREAM = 1235
UNUSABLE_STREAM = 1236

_LINKS: dict[str, TrackLinks] = {
    "none": "none",
    "htmlandtext": "all",
    "htmlonly": "html",
    "textonly": "text",
}


def problem(sentence: str, reason: Reason, code: int = BAD_REQUEST, enhanced: str = "5.6.0") -> Problem:
    """Return a problem treated as Postmark does, with the number of its API for it."""
    return Problem("postmark", reason, Reply(550, enhanced, f"{sentence} (Postmark error {code})"))


def read(fields: list[Field]) -> tuple[Options, list[Problem]]:
    """Return what *fields* ask for. Unknown ones say nothing; of a repeated one the first counts."""
    said: dict[str, Any] = {}
    metadata: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for field in fields:
        try:
            if field.name == _METADATA and not text_of(field):
                continue
            if field.name.startswith(_METADATA):
                metadata.append(_pair(field))
            else:
                for name, value in _read_one(field).items():
                    said.setdefault(name, value)
        except OptionError as error:
            problems.append(problem(str(error), error.reason))
    if len(metadata) > MAX_KEYS:
        sentence = (
            f"Invalid metadata content. There may be {MAX_KEYS} X-PM-Metadata fields, not {len(metadata)}"
        )
        problems.append(problem(sentence, "metadata"))
    elif metadata:
        said["metadata"] = _numbered(metadata)
    return Options(**said), problems


def _read_one(field: Field) -> dict[str, Any]:
    name, text = field.name[len(PREFIX) :], text_of(field)
    if name in (b"trackopens", b"track-opens"):
        return _unless_none("track_opens", switch(field))
    if name == b"keepid":
        return _unless_none("keep_id", switch(field))
    if not text:
        return {}
    if name == b"message-stream":
        return {"stream": _bounded(field, text, MAX_STREAM)}
    if name == b"tag":
        return {"tags": (_bounded(field, text, MAX_TAG),)}
    if name == b"bounce-type":
        return {"bounce_type": _bounded(field, text, MAX_BOUNCE_TYPE)}
    if name in (b"tracklinks", b"track-links"):
        return {"track_links": _links(field, text)}
    return {}


def _unless_none(name: str, value: bool | None) -> dict[str, Any]:
    return {} if value is None else {name: value}


def _bounded(field: Field, text: str, most: int) -> str:
    if len(text) > most:
        raise OptionError(f"{name_of(field)} may have {most} characters, not {len(text)}", "option_limit")
    return text


def _links(field: Field, text: str) -> TrackLinks:
    try:
        return _LINKS[text.lower()]
    except KeyError:
        raise OptionError(
            f"{name_of(field)} must be None, HtmlAndText, HtmlOnly or TextOnly, not {shown(text)}"
        ) from None


def _pair(field: Field) -> tuple[str, str]:
    key, value = name_of(field)[len(_METADATA) :], text_of(field)
    if not key:
        raise OptionError("Invalid metadata content. A name must follow X-PM-Metadata-", "metadata")
    if len(key) > MAX_KEY:
        raise OptionError(
            f"Invalid metadata content. Field names are limited to {MAX_KEY} characters; {shown(key)} has {len(key)}",
            "metadata",
        )
    if len(value) > MAX_VALUE:
        raise OptionError(
            f"Invalid metadata content. Field values are limited to {MAX_VALUE} characters; that of {shown(key)} "
            f"has {len(value)}",
            "metadata",
        )
    return key, value


def _numbered(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs with a number behind a name that was there before; case makes no difference."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key, value in pairs:
        name, number = key, 1
        while name.lower() in taken:
            name, number = f"{key}{number}", number + 1
        taken.add(name.lower())
        found[name] = value
    return found
