"""`x-smtpeter-*`: switches and tags as senders of SMTPeter write them."""

from typing import Any, Final

from angarium.core.options import Options
from angarium.core.submission import Problem, Reason, Wishes
from angarium.dialects.values import OptionError, line_of, name_of, not_among, switch, text_of
from angarium.mime.header import Field
from angarium.mime.words import decode_list

NAME: Final = "smtpeter"
PREFIX: Final = b"x-smtpeter-"
MAX_TAGS = 100
MAX_TAG = 255

_SWITCHES = {
    b"inlinecss": "inline_css",
    b"trackopens": "track_opens",
    b"trackbounces": "track_bounces",
    b"preventscam": "prevent_scam",
    # as they were called in earlier days
    b"inlinizecss": "inline_css",
    b"openstracking": "track_opens",
    b"bouncetracking": "track_bounces",
}
_CLICKS = (b"trackclicks", b"clicktracking")
_IMAGES = (b"images", b"embedded")


def read(fields: list[Field]) -> Wishes:
    """Return what *fields* ask for. Unknown and empty ones say nothing; of a repeated one the first counts."""
    said: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in fields:
        try:
            for name, value in _read_one(field).items():
                said.setdefault(name, value)
        except OptionError as error:
            problems.append(error.problem(NAME))
    return Wishes(NAME, Options(**said), problems=tuple(problems))


def _read_one(field: Field) -> dict[str, Any]:
    name = field.name[len(PREFIX) :]
    if name in _SWITCHES:
        value = switch(field)
        return {} if value is None else {_SWITCHES[name]: value}
    if name in _CLICKS:
        value = switch(field)
        return {} if value is None else {"track_links": "all" if value else "none"}
    if name in _IMAGES:
        return _images(field)
    if name == b"tags":
        return _tags(field)
    return {}


def _images(field: Field) -> dict[str, Any]:
    text = text_of(field).lower()
    if not text:
        return {}
    if text not in ("hosted", "default"):
        raise not_among(field, "hosted or default", text)
    return {"host_images": text == "hosted"}


def _tags(field: Field) -> dict[str, Any]:
    tags = tuple(dict.fromkeys(filter(None, decode_list(line_of(field)))))
    if len(tags) > MAX_TAGS:
        raise OptionError(Reason.OPTION_COUNT, field=name_of(field), limit=MAX_TAGS, found=len(tags))
    longest = max(tags, key=len, default="")
    if len(longest) > MAX_TAG:
        raise OptionError(
            Reason.OPTION_LENGTH, field=name_of(field), value=longest, limit=MAX_TAG, found=len(longest)
        )
    return {"tags": tags} if tags else {}
