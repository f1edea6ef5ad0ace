"""`X-MSYS-API`: one JSON object, as senders of SparkPost and Momentum write it."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from angarium.core.options import Options
from angarium.core.reply import Reply
from angarium.mime.addresses import read_mailboxes
from angarium.mime.header import Field
from angarium.mime.words import decode_words
from angarium.smtp.address import AddressError, parse_mailbox
from angarium.submission.dialect_values import CopyTo, HeaderOptions, OptionError, Problem, Reason, shown

PREFIX: Final = b"x-msys-api"
MAX_CAMPAIGN_OCTETS = 64
MAX_METADATA_OCTETS = 10_240
MAX_DEPTH = 20
MAX_TAGS = 10
MAX_NAME = 255
MAX_COPIES = 1000

_FOLD = re.compile(r"\r?\n[ \t]*")
_TYPES: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean"}

_SWITCHES = {
    "open_tracking": "track_opens",
    "transactional": "transactional",
    "skip_suppression": "skip_suppression",
    "inline_css": "inline_css",
}
_NAMES = {"ip_pool": "binding", "dkim_key": "dkim_key"}


def read(fields: list[Field]) -> HeaderOptions:
    """Return what the field asks for, without spans. What it does not know it passes over; empty it says nothing."""
    fields = [field for field in fields if field.name == PREFIX and field.value.strip()]
    if not fields:
        return HeaderOptions()
    try:
        if len(fields) > 1:
            raise OptionError("X-MSYS-API may stand in a message once; put all into one JSON object")
        return _read(_object(fields[0]))
    except OptionError as error:
        reply = Reply(550, "5.6.0", str(error))
        return HeaderOptions(problems=(Problem("sparkpost", error.reason, reply),))


def _object(field: Field) -> dict[str, Any]:
    text = decode_words(_FOLD.sub(" ", field.value.decode("utf-8", "replace")).strip())
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OptionError(f"JSON parsing error in X-MSYS-API: {_short(error)}", "json") from None
    if not isinstance(value, dict):
        raise OptionError(
            'JSON parsing error in X-MSYS-API: it must be one object, as in {"campaign_id": "a"}', "json"
        )
    return value


def _short(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).removeprefix("JSON is malformed: ")


def _read(value: dict[str, Any]) -> HeaderOptions:
    said: dict[str, Any] = {}
    for name, reads in _READERS.items():
        if value.get(name) is not None:
            said.update(reads(value[name]))
    cc, bcc, archive = (_copies(name, value.get(name)) for name in ("cc", "bcc", "archive"))
    number = len(cc) + len(bcc) + len(archive)
    if number > MAX_COPIES:
        raise OptionError(
            f"X-MSYS-API may name {MAX_COPIES} addresses in 'cc', 'bcc' and 'archive' together, not {number}; "
            "send the rest in another message",
            "option_limit",
        )
    return HeaderOptions(Options(**said), cc=cc, bcc=bcc, archive=archive)


def _typed(name: str, value: Any, wanted: type) -> Any:
    if not isinstance(value, wanted):
        reason: Reason = "metadata" if name == "metadata" else "option_syntax"
        raise OptionError(f"X-MSYS-API '{name}' must be of type 'json {_TYPES[wanted]}'", reason)
    return value


def _campaign(value: Any) -> dict[str, Any]:
    text = _typed("campaign_id", value, str)
    octets = len(text.encode("utf-8", "replace"))
    if octets > MAX_CAMPAIGN_OCTETS:
        raise OptionError(
            f"X-MSYS-API 'campaign_id' is limited to {MAX_CAMPAIGN_OCTETS} bytes; this one has {octets}",
            "option_limit",
        )
    return {"campaign": text} if text else {}


def _metadata(value: Any) -> dict[str, Any]:
    data = _typed("metadata", value, dict)
    _check_depth(data)
    octets = len(msgspec.json.encode(data))
    if octets > MAX_METADATA_OCTETS:
        raise OptionError(
            f"X-MSYS-API 'metadata' is limited to {MAX_METADATA_OCTETS} bytes of JSON; this has {octets}",
            "metadata",
        )
    return {"metadata": data} if data else {}


def _check_depth(data: Any, levels: int = MAX_DEPTH) -> None:
    """Make sure that *data* can be kept: MessagePack has no larger numbers, and no reader goes deep for it."""
    if not levels:
        raise OptionError(f"X-MSYS-API 'metadata' may be nested {MAX_DEPTH} levels deep", "metadata")
    if isinstance(data, int) and not -(2**63) <= data < 2**64:
        raise OptionError(
            "X-MSYS-API 'metadata' has a number beyond 64 bits; write it as a string", "metadata"
        )
    for inner in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        _check_depth(inner, levels - 1)


def _tags(value: Any) -> dict[str, Any]:
    tags = [_typed("tags[]", tag, str) for tag in _typed("tags", value, list)]
    for tag in tags[:MAX_TAGS]:
        _bounded("tags[]", tag)
    kept = tuple(dict.fromkeys(tag for tag in tags[:MAX_TAGS] if tag))
    return {"tags": kept} if kept else {}


def _bounded(name: str, text: str) -> str:
    if len(text) > MAX_NAME:
        raise OptionError(
            f"X-MSYS-API '{name}' is limited to {MAX_NAME} characters; this has {len(text)}", "option_limit"
        )
    return text


def _options(value: Any) -> dict[str, Any]:
    options = _typed("options", value, dict)
    said: dict[str, Any] = {}
    for name, field in _SWITCHES.items():
        if options.get(name) is not None:
            said[field] = _typed(f"options.{name}", options[name], bool)
    for name, field in _NAMES.items():
        if options.get(name):
            said[field] = _bounded(f"options.{name}", _typed(f"options.{name}", options[name], str))
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


def _copies(name: str, value: Any) -> tuple[CopyTo, ...]:
    if value is None:
        return ()
    return tuple(_copy(name, entry) for entry in _typed(name, value, list))


def _copy(name: str, entry: Any) -> CopyTo:
    display = ""
    if isinstance(entry, dict):
        display = _bounded(f"{name}[].name", _typed(f"{name}[].name", entry.get("name") or "", str))
        entry = entry.get("email")
    found, is_whole = read_mailboxes(_typed(f"{name}[]", entry, str))
    if len(found) != 1 or not is_whole:
        raise OptionError(f"X-MSYS-API '{name}' has {shown(entry)}, which is not one e-mail address")
    local = found[0].address.rpartition("@")[0]
    try:
        mailbox = parse_mailbox(f"{local}@{found[0].domain}")
    except AddressError as error:
        raise OptionError(f"X-MSYS-API '{name}' has {shown(entry)}: {error}") from None
    return CopyTo(display or found[0].name, mailbox.address, mailbox.domain)
