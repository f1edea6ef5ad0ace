"""What SMTPeter tells of something that has happened: fields of a form, an event a request. Pure."""

from datetime import UTC, datetime
from typing import Final

from angarium.dialects.event import MailEvent

_NAMES: Final = {
    "delivered": "delivery",
    "bounced": "failure",
    "expired": "failure",
    "late_bounce": "failure",
    "auto_reply": "bounce",
    "complaint": "abuse",
    "open": "open",
    "click": "click",
}
TYPES: Final = frozenset(_NAMES)

Fields = list[tuple[str, str]]


def forms(event: MailEvent) -> list[Fields]:
    """Return the fields that tell of *event*; a bounce that came by mail is told twice, as a failure and as what came
    back.
    """
    found = [_form(event, _NAMES[event.type])]
    if event.type == "late_bounce":
        found.append(_form(event, "bounce"))
    return found


def _form(event: MailEvent, name: str) -> Fields:
    common: Fields = [("id", event.message), ("type", name)]
    if name == "abuse":
        return [*common, ("emailfrom", str(event.details.get("from", ""))), ("mime", "")]
    common += [("tags[]", tag) for tag in event.tags]
    common += [("recipient", event.address), *_times(event.at)]
    if name == "bounce":
        return [*common, ("envelope", event.sender), ("mime", "")]
    if name in ("delivery", "failure"):
        return [*common, *_failed(event, name), *_reply(event.reply)]
    return [*common, *_reader(event)]


def _failed(event: MailEvent, name: str) -> Fields:
    if name == "delivery":
        return []
    attempt = event.details.get("attempt")
    stage = str(attempt.get("stage", "")) if isinstance(attempt, dict) else ""
    return [("action", "failed"), ("state", "bounce" if event.type == "late_bounce" else stage)]


def _reply(reply: str) -> Fields:
    code, _, rest = reply.partition(" ")
    extended, _, text = rest.partition(" ")
    if not code.isdigit():
        return [("description", reply)] if reply else []
    if extended.count(".") != 2:
        return [("code", code), ("description", rest)]
    return [("code", code), ("extended", extended), ("description", text)]


def _reader(event: MailEvent) -> Fields:
    found = [("ip", str(event.details.get("address", "")))]
    if url := event.details.get("url"):
        found.append(("original", str(url)))
    if agent := event.details.get("agent"):
        found.append(("useragent", str(agent)))
    return found


def _times(at: float) -> Fields:
    """Return the time as Unix has it, and in words."""
    return [("time", str(int(at))), ("timestamp", f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}")]
