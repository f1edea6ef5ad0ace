"""What peers say most often when they do not take mail: answers that differ in numbers and names are one."""

import re
from collections.abc import Iterable
from typing import Final

from angarium.events.reports.model import TopReply
from angarium.events.rollups.port import ReplyCount

_ENHANCED: Final = re.compile(r"^(\d{3})( [245]\.\d{1,3}\.\d{1,3})?")
_OWN: Final = re.compile(
    r"<[^<>\s]*>"  # an address, a URL
    r"|[\w.+-]+@[\w.-]+"
    r"|https?://\S+"
    r"|\b(?=\w*\d)[\w:.-]*\w",  # an IP address, a queue id, a time, an amount
)


def pattern_of(reply: str) -> str:
    """Return an answer without what is different each time: its codes and words stay, numbers and names are `#`."""
    codes = _ENHANCED.match(reply)
    head = codes[0] if codes else ""
    return head + _OWN.sub("#", reply[len(head) :])


def top_replies(counted: Iterable[ReplyCount], limit: int) -> list[TopReply]:
    """Return the answers that came most often."""
    found: dict[tuple[str, str, str], tuple[str, int]] = {}
    for each in counted:
        key = each.kind, each.reason, pattern_of(each.reply)
        sample, count = found.get(key, (each.reply, 0))
        found[key] = min(sample, each.reply), count + each.times
    ranked = sorted(found.items(), key=lambda item: (-item[1][1], item[0]))
    return [TopReply(*key, sample, count) for key, (sample, count) in ranked[:limit]]
