"""What a program that opens mail or follows a link calls itself, in the words of vendors: client, system, device. Pure.

The names that matter to a sender are known here, in the order in which they are looked for: many programs name several.
What none of them is has empty names.
"""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Device = Literal["Desktop", "Mobile", "WebMail", "Unknown"]

_LONGEST: Final = 1_000


class AgentName(NamedTuple):
    """A program or a system: *name* with its version, who makes it, and its name alone."""

    name: str = ""
    company: str = ""
    family: str = ""


class UserAgent(NamedTuple):
    """What a User-Agent tells."""

    client: AgentName
    system: AgentName
    device: Device


_CLIENTS: Final = (
    ("GoogleImageProxy", "Gmail", "Google", ""),
    ("YahooMailProxy", "Yahoo! Mail", "Yahoo", ""),
    ("YahooCacheSystem", "Yahoo! Mail", "Yahoo", ""),
    ("Thunderbird", "Thunderbird", "Mozilla Foundation", r"Thunderbird/(\d+)"),
    ("Microsoft Outlook", "Outlook", "Microsoft", r"Microsoft Outlook (\d+)"),
    ("Outlook-iOS", "Outlook for iOS", "Microsoft", ""),
    ("Outlook-Android", "Outlook for Android", "Microsoft", ""),
    ("MSOffice", "Outlook", "Microsoft", r"MSOffice (\d+)"),
    ("Edg", "Edge", "Microsoft", r"Edg\w*/(\d+)"),
    ("OPR/", "Opera", "Opera", r"OPR/(\d+)"),
    ("SamsungBrowser", "Samsung Internet", "Samsung", r"SamsungBrowser/(\d+)"),
    ("CriOS", "Chrome", "Google", r"CriOS/(\d+)"),
    ("FxiOS", "Firefox", "Mozilla", r"FxiOS/(\d+)"),
    ("Firefox/", "Firefox", "Mozilla", r"Firefox/(\d+)"),
    ("Chrome/", "Chrome", "Google", r"Chrome/(\d+)"),
    ("Safari/", "Safari", "Apple", r"Version/(\d+)"),
    ("Trident/", "Internet Explorer", "Microsoft", r"rv:(\d+)"),
    ("MSIE", "Internet Explorer", "Microsoft", r"MSIE (\d+)"),
    ("AppleWebKit", "Apple Mail", "Apple", ""),
)
_SYSTEMS: Final = (
    ("Windows Phone", "Windows Phone", "Microsoft", r"Windows Phone (?:OS )?([\d.]+)", "Mobile"),
    ("Windows NT", "Windows", "Microsoft", "", "Desktop"),
    ("iPhone", "iOS", "Apple", r"OS (\d+)", "Mobile"),
    ("iPad", "iOS", "Apple", r"OS (\d+)", "Mobile"),
    ("Android", "Android", "Google", r"Android (\d+)", "Mobile"),
    ("Mac OS X", "OS X", "Apple", r"Mac OS X (\d+[._]\d+)", "Desktop"),
    ("Macintosh", "OS X", "Apple", "", "Desktop"),
    ("CrOS", "Chrome OS", "Google", "", "Desktop"),
    ("Linux", "Linux", "", "", "Desktop"),
)
_WEB_MAIL: Final = frozenset(("Gmail", "Yahoo! Mail"))


@lru_cache(maxsize=4_096)
def read_agent(text: str) -> UserAgent:
    """Return what a User-Agent tells."""
    text = text[:_LONGEST]
    client = next((_named(text, row) for row in _CLIENTS if row[0] in text), AgentName())
    system = next((row for row in _SYSTEMS if row[0] in text), None)
    if client.family in _WEB_MAIL:
        return UserAgent(client, AgentName(), "WebMail")
    if system is None:
        return UserAgent(client, AgentName(), "Unknown")
    return UserAgent(client, _named(text, system[:4]), "Mobile" if system[4] == "Mobile" else "Desktop")


def _named(text: str, row: tuple[str, str, str, str]) -> AgentName:
    _, family, company, pattern = row
    version = re.search(pattern, text) if pattern else None
    name = f"{family} {version[1].replace('_', '.')}" if version is not None else family
    return AgentName(name, company, family)
