"""Whether a person has looked at a message and followed its links, or a program: by what is known of each. Pure.

Programs look at mail before people do, and when they do not: Apple's Mail Privacy Protection loads all pictures when a
message comes, security products follow each link. The pictures that Gmail and Yahoo load through servers of theirs they
load when somebody looks: that is a person, by a proxy.
"""

import re
from typing import Final, Literal, NamedTuple

from angarium.config.values import CidrSet

Machine = Literal["", "prefetch", "scanner", "program", "method", "no_agent", "network", "too_soon"]
"""Why it is taken for a program; empty: it is not. docs/events.md says what each means."""
Proxy = Literal["", "gmail", "yahoo", "other"]
"""By whose servers a person has looked; empty: by none that is known."""

OPEN_SOON_S: Final = 1.0
CLICK_SOON_S: Final = 3.0
"""No person looks so soon after the peer has taken the message, and none has then read as far as a link."""

_PROXIES: Final[tuple[tuple[str, Proxy], ...]] = (
    ("googleimageproxy", "gmail"),
    ("yahoomailproxy", "yahoo"),
    ("imageproxy", "other"),
)
_SCANNERS: Final = re.compile(
    r"barracuda|mimecast|proofpoint|bitdefender|symantec|messagelabs|forcepoint|ironport|trendmicro|sophos|fortiguard"
    r"|safelinks|urldefense|cloudmark|zscaler|checkpoint|virustotal|palo ?alto|fireeye|trustwave|spamexperts",
    re.IGNORECASE,
)
_PROGRAMS: Final = re.compile(
    r"(?<!cu)bot\b|crawl|spider|^curl/|^wget/|python|^java/|go-http-client|libwww|okhttp|httpclient|axios|node-fetch"
    r"|headless|phantomjs|puppeteer|playwright|scrapy|^ruby|^php|facebookexternalhit|slackbot|whatsapp|preview",
    re.IGNORECASE,
)
_PREFETCH: Final = frozenset(("Mozilla/5.0",))
"""All that Apple's servers say of themselves; no browser says so little."""


class Look(NamedTuple):
    """Somebody has asked for a picture (*is_click* False) or followed a link.

    *agent* is what it calls itself, *address* its IP address, *method* that of HTTP. *after_s* is how long before a
    peer had taken the message, None where that is not known.
    """

    agent: str
    address: str = ""
    method: str = "GET"
    after_s: float | None = None
    is_click: bool = False


class Looker(NamedTuple):
    """Who has looked: a *machine*, by a *proxy*, or neither."""

    machine: Machine = ""
    proxy: Proxy = ""


def looker(look: Look, networks: CidrSet) -> Looker:
    """Return who has looked. *networks* are those of programs, by the operator's word."""
    agent = look.agent.strip()
    if look.method not in ("GET", "POST"):
        return Looker("method")
    if not agent:
        return Looker("no_agent")
    if look.address and networks.contains(look.address):
        return Looker("network")
    proxy = _proxy(agent)
    if proxy and not look.is_click:
        return Looker("", proxy)
    if agent in _PREFETCH:
        return Looker("scanner" if look.is_click else "prefetch")
    if _SCANNERS.search(agent):
        return Looker("scanner")
    if _PROGRAMS.search(agent):
        return Looker("program")
    if look.after_s is not None and 0 <= look.after_s < (CLICK_SOON_S if look.is_click else OPEN_SOON_S):
        return Looker("too_soon")
    return Looker()


def _proxy(agent: str) -> Proxy:
    said = agent.lower()
    return next((proxy for word, proxy in _PROXIES if word in said), "")
