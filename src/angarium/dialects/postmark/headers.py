"""`X-PM-*`: options as senders of Postmark write them, one field each."""

from typing import Any, Final

from angarium.core.options import Options, TrackLinks
from angarium.core.submission import Problem, Reason, Wishes
from angarium.dialects.values import OptionError, name_of, not_among, switch, text_of
from angarium.mime.header import Field

NAME: Final = "postmark"
PREFIX: Final = b"x-pm-"
_METADATA: Final = b"x-pm-metadata-"
MAX_TAG = 1000
MAX_KEYS = 10
MAX_KEY = 20
MAX_VALUE = 80
MAX_STREAM = 30
MAX_BOUNCE_TYPE = 50

LINKS_WORDS: Final[dict[TrackLinks, str]] = {
    "none": "None",
    "all": "HtmlAndText",
    "html": "HtmlOnly",
    "text": "TextOnly",
}
"""How Postmark says in which parts links are tracked."""
LINKS: Final = {word.lower(): links for links, word in LINKS_WORDS.items()}


def read(fields: list[Field]) -> Wishes:
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
            problems.append(error.problem(NAME))
    if len(metadata) > MAX_KEYS:
        problems.append(Problem(Reason.METADATA_COUNT, limit=MAX_KEYS, found=len(metadata), dialect=NAME))
    elif metadata:
        said["metadata"] = _numbered(metadata)
    return Wishes(NAME, Options(**said), problems=tuple(problems))


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
        raise OptionError(Reason.OPTION_LENGTH, field=name_of(field), limit=most, found=len(text))
    return text


def _links(field: Field, text: str) -> TrackLinks:
    try:
        return LINKS[text.lower()]
    except KeyError:
        raise not_among(field, "None, HtmlAndText, HtmlOnly or TextOnly", text) from None


def _pair(field: Field) -> tuple[str, str]:
    key, value = name_of(field)[len(_METADATA) :], text_of(field)
    if not key:
        raise OptionError(Reason.METADATA_NAMELESS)
    if len(key) > MAX_KEY:
        raise OptionError(Reason.METADATA_NAME, value=key, limit=MAX_KEY, found=len(key))
    if len(value) > MAX_VALUE:
        raise OptionError(Reason.METADATA_VALUE, value=key, limit=MAX_VALUE, found=len(value))
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
