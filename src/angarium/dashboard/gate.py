"""Whether a request comes from where it should, and whose session it is of. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

FORM_FIELD: Final = "form"
"""The field of a form that proves that the page was this one's."""
_PLAIN: Final = "angarium"
_SECURE: Final = "__Host-angarium"
_SAFE_SITES: Final = frozenset(("same-origin", "none"))


def name_of(host: str) -> str:
    """Return the name or address in a Host field, in lower case; empty where there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def is_of_ours(headers: Mapping[str, str]) -> bool:
    """Whether a request that changes something was made by a page of this origin, as far as the browser tells.

    `Sec-Fetch-Site` is what tells: of a page that sends no referrer the Origin is null, also to itself.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in _SAFE_SITES
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def cookie_name(*, is_secure: bool) -> str:
    """Return what the session's cookie is called: over HTTPS a name that no other host can set."""
    return _SECURE if is_secure else _PLAIN


def secret_in(cookies: str, *, is_secure: bool) -> str | None:
    """Return the session's secret in the Cookie field, None without one."""
    try:
        found = SimpleCookie(cookies).get(cookie_name(is_secure=is_secure))
    except CookieError:
        return None
    return found.value if found is not None else None


def set_cookie(secret: str, *, is_secure: bool) -> str:
    """Return the Set-Cookie field that begins a session, or with an empty *secret* ends it."""
    parts = [f"{cookie_name(is_secure=is_secure)}={secret}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if is_secure:
        parts.append("Secure")
    if not secret:
        parts.append("Max-Age=0")
    return "; ".join(parts)


def form_token(secret: str) -> str:
    """Return what a form of the session with *secret* has to bring back."""
    return hmac.digest(secret.encode(), b"form", hashlib.sha256).hex()[:32]


def is_form_token(secret: str, sent: str) -> bool:
    """Whether *sent* is the token of that session."""
    return hmac.compare_digest(form_token(secret).encode(), sent.encode())


def local_path(path: str, prefix: str) -> str:
    """Return *path* if it leads to a page below *prefix*, else the first page: never to another host."""
    is_ours = path.startswith(f"{prefix}/") and "\\" not in path and not path.startswith("//")
    return path if is_ours and path.isprintable() else f"{prefix}/"
