"""`X-MSYS-API`: one JSON object, as senders of SparkPost and Momentum write it."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import msgspec

from angarium.core.options import Options
from angarium.core.submission import CopyTo, Reason, Wishes
from angarium.dialects.values import OptionError, line_of
from angarium.mime.addresses import read_mailboxes
from angarium.mime.header import Field
from angarium.mime.words import decode_words, is_encoded_whole
from angarium.smtp.address import AddressError, parse_mailbox

NAME: Final = "sparkpost"
PREFIX: Final = b"x-msys-api"
MAX_CAMPAIGN_OCTETS = 64
MAX_METADATA_OCTETS = 10_240
MAX_DEPTH = 20
MAX_TAGS = 10
MAX_NAME = 255
MAX_COPIES = 1000
MAX_MAILBOX = 1000

_TYPES: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean"}

_SWITCHES = {
    "open_tracking": "track_opens",
    "initial_open": "initial_open",
    "transactional": "transactional",
    "skip_suppression": "skip_suppression",
    "inline_css": "inline_css",
}
_NAMES = {"ip_pool": "binding", "dkim_key": "dkim_key"}
_LISTS = ("cc", "bcc", "archive")


def read(fields: list[Field]) -> Wishes:
    """Return what the field asks for. What it does not know it passes over; empty it says nothing."""
    fields = [field for field in fields if field.name == PREFIX and field.value.strip()]
    if not fields:
        return Wishes(NAME)
    try:
        if len(fields) > 1:
            raise OptionError(Reason.OPTION_REPEATED)
        return _read(_object(fields[0]))
    except OptionError as error:
        return Wishes(NAME, problems=(error.problem(NAME),))


def _object(field: Field) -> dict[str, Any]:
    """Return the object. Encoded words are looked for in its strings, after it was read: a string that is text of
    somebody else cannot become more than a string. Only a value that is encoded from end to end is decoded first: a
    library did so (Nodemailer, with all that has a quote in it), and what was a word inside is one still."""
    text = line_of(field)
    if is_encoded_whole(text):
        text = decode_words(text)
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OptionError(
            Reason.JSON, facts={"error": _short(error), "has_encoded_words": "=?" in text}
        ) from None
    if not isinstance(value, dict):
        raise OptionError(Reason.JSON_TYPE)
    return value


def _short(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).removeprefix("JSON is malformed: ")


def _read(value: dict[str, Any]) -> Wishes:
    said: dict[str, Any] = {}
    for name, reads in _READERS.items():
        if value.get(name) is not None:
            said.update(reads(value[name]))
    lists = [_typed(name, value.get(name) or [], list) for name in _LISTS]
    number = sum(map(len, lists))
    if number > MAX_COPIES:
        raise OptionError(Reason.OPTION_COUNT, limit=MAX_COPIES, found=number)
    cc, bcc, archive = (
        tuple(_copy(name, entry) for entry in entries) for name, entries in zip(_LISTS, lists, strict=True)
    )
    return Wishes(NAME, Options(**said), cc=cc, bcc=bcc, archive=archive)


def _typed(name: str, value: Any, wanted: type) -> Any:
    if not isinstance(value, wanted):
        reason = Reason.METADATA_TYPE if name == "metadata" else Reason.OPTION_TYPE
        raise OptionError(reason, field=name, facts={"type": _TYPES[wanted]})
    return value


def _text(name: str, value: Any) -> str:
    return decode_words(_typed(name, value, str))


def _campaign(value: Any) -> dict[str, Any]:
    text = _text("campaign_id", value)
    octets = len(text.encode("utf-8", "replace"))
    if octets > MAX_CAMPAIGN_OCTETS:
        raise OptionError(Reason.OPTION_OCTETS, field="campaign_id", limit=MAX_CAMPAIGN_OCTETS, found=octets)
    return {"campaign": text} if text else {}


def _metadata(value: Any) -> dict[str, Any]:
    data = _kept(_typed("metadata", value, dict), count(1))
    octets = len(msgspec.json.encode(data))
    if octets > MAX_METADATA_OCTETS:
        raise OptionError(Reason.METADATA_SIZE, limit=MAX_METADATA_OCTETS, found=octets)
    return {"metadata": data} if data else {}


def _kept(data: Any, numbers: Iterator[int], levels: int = MAX_DEPTH) -> Any:
    """Return *data* as it is kept, its strings decoded. MessagePack has no larger numbers, and no reader goes deep
    for it. *numbers* count the values in it, each of which takes a byte of JSON at least."""
    if next(numbers) > MAX_METADATA_OCTETS:
        raise OptionError(Reason.METADATA_SIZE, limit=MAX_METADATA_OCTETS)
    if not levels:
        raise OptionError(Reason.METADATA_DEPTH, limit=MAX_DEPTH)
    if isinstance(data, int) and not -(2**63) <= data < 2**64:
        raise OptionError(Reason.METADATA_NUMBER)
    if isinstance(data, dict):
        return {decode_words(name): _kept(inner, numbers, levels - 1) for name, inner in data.items()}
    if isinstance(data, list):
        return [_kept(inner, numbers, levels - 1) for inner in data]
    return decode_words(data) if isinstance(data, str) else data


def _tags(value: Any) -> dict[str, Any]:
    tags = [_bounded("tags[]", _text("tags[]", tag)) for tag in _typed("tags", value, list)[:MAX_TAGS]]
    kept = tuple(dict.fromkeys(filter(None, tags)))
    return {"tags": kept} if kept else {}


def _bounded(name: str, text: str) -> str:
    if len(text) > MAX_NAME:
        raise OptionError(Reason.OPTION_LENGTH, field=name, limit=MAX_NAME, found=len(text))
    return text


def _options(value: Any) -> dict[str, Any]:
    options = _typed("options", value, dict)
    said: dict[str, Any] = {}
    for name, field in _SWITCHES.items():
        if options.get(name) is not None:
            said[field] = _typed(f"options.{name}", options[name], bool)
    for name, field in _NAMES.items():
        if options.get(name):
            said[field] = _bounded(f"options.{name}", _text(f"options.{name}", options[name]))
    clicks = options.get("click_tracking")
    if clicks is not None:
        said["track_links"] = "all" if _typed("options.click_tracking", clicks, bool) else "none"
    return said


_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "campaign_id": _campaign,
    "metadata": _metadata,
    "tags": _tags,
    "options": _options,
}


def _copy(name: str, entry: Any) -> CopyTo:
    display = ""
    if isinstance(entry, dict):
        display = _bounded(f"{name}[].name", _text(f"{name}[].name", entry.get("name") or ""))
        entry = entry.get("email")
    found, is_whole = read_mailboxes(_typed(f"{name}[]", entry, str)[:MAX_MAILBOX])
    if len(entry) > MAX_MAILBOX or len(found) != 1 or not is_whole:
        raise OptionError(Reason.OPTION_ADDRESS, field=name, value=entry)
    local = found[0].address.rpartition("@")[0]
    try:
        mailbox = parse_mailbox(f"{local}@{found[0].domain}")
    except AddressError as error:
        raise OptionError(
            Reason.OPTION_ADDRESS, field=name, value=entry, facts={"error": str(error)}
        ) from None
    return CopyTo(display or found[0].name, mailbox.address, mailbox.domain)
