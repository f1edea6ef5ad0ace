"""Whose a mail host is: the mailbox providers and filters that are worth a number of their own. Pure.

A provider is known by the host that took the mail, its MX, and not by the recipient's domain: most domains are hosted
by a few. The list is closed, so that no domain's name, which anybody can make up, becomes a label.
"""

from functools import lru_cache
from typing import Final

OTHER: Final = "other"
"""A host of none of them: of a small domain, or the relay of a `Gateway`."""

PROVIDERS: Final[dict[str, tuple[str, ...]]] = {
    # mailboxes
    "google": ("google.com", "googlemail.com"),
    "outlook": ("olc.protection.outlook.com",),  # outlook.com, hotmail.com, live.com, msn.com
    "microsoft365": ("mail.protection.outlook.com", "mx.microsoft"),
    "yahoo": ("yahoodns.net",),  # and AOL, AT&T, Cox
    "apple": ("mail.icloud.com",),
    "gmx": ("gmx.net", "web.de", "mail.com", "kundenserver.de"),
    "t-online": ("t-online.de",),
    "orange": ("orange.fr", "laposte.net"),
    "comcast": ("comcast.net",),
    "charter": ("charter.net",),
    "libero": ("libero.it",),
    "mail.ru": ("mail.ru",),
    "yandex": ("yandex.ru", "yandex.net"),
    "qq": ("qq.com",),
    "netease": ("netease.com",),
    "naver": ("naver.com",),
    "proton": ("protonmail.ch",),
    "fastmail": ("messagingengine.com",),
    "zoho": ("zoho.com", "zoho.eu"),
    "ovh": ("ovh.net",),
    "amazon": ("amazonaws.com",),
    # filters before other people's servers
    "proofpoint": ("pphosted.com", "ppe-hosted.com"),
    "mimecast": ("mimecast.com", "mimecast.co.za"),
    "barracuda": ("barracudanetworks.com",),
    "cisco": ("iphmx.com",),
    "broadcom": ("messagelabs.com",),
    "trendmicro": ("trendmicro.com", "trendmicro.eu"),
}
"""Provider, and the domains that its mail hosts are in."""

_BY_DOMAIN: Final = {domain: name for name, domains in PROVIDERS.items() for domain in domains}


@lru_cache(4096)
def provider_of(host: str) -> str:
    """Return the provider that the mail host named *host* is one of, or `OTHER`."""
    domain = host.lower().rstrip(".")
    while domain:
        if domain in _BY_DOMAIN:
            return _BY_DOMAIN[domain]
        domain = domain.partition(".")[2]
    return OTHER
