"""DIGEST-MD5 (RFC 2831), authentication only. It is historic (RFC 6331); old libraries still choose it first.

MD5 is what the mechanism asks for; nothing here relies on more than the secret being long and random.
"""

import re
from hashlib import md5
from hmac import compare_digest

from angarium.smtp.sasl.exchange import Challenge, Failed, NeedSecrets, Proved, Secrets
from angarium.smtp.sasl.steps import Course, Malformed, as_name

MAX_RESPONSE = 4096
"""Bytes of a response (RFC 2831 §2.1.2)."""

_DIRECTIVE = re.compile(
    rb'[ \t]*+([A-Za-z-]{1,32}+)[ \t]*+=[ \t]*+("(?:[^"\\]|\\.)*+"|[^",= \t]++)[ \t]*+', re.DOTALL
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NEEDED = ("username", "nonce", "cnonce", "nc", "digest-uri", "response")
_ANSWERED_ONCE = (b"auth", b"00000001")


def server_course(initial: bytes | None, hostname: str, nonce: str, service: str = "smtp") -> Course:
    """Lead the exchange; *nonce* is printable ASCII without quotes and is never used twice."""
    offer = f'realm="{hostname}",nonce="{nonce}",qop="auth",charset=utf-8,algorithm=md5-sess'
    if initial is not None:  # it comes again with a nonce of before, which is over here (RFC 2831 §2.2.2)
        _response(initial)
        offer += ",stale=true"
    said = _response((yield Challenge(offer.encode())))
    encoding = _encoding(said)
    username = as_name(_decoded(said["username"], encoding))
    secrets: Secrets | None = yield NeedSecrets(username)
    password = secrets.password if secrets is not None else None
    expected = digest_response(said, password or "", encoding, "AUTHENTICATE")
    is_right = compare_digest(expected, said["response"])  # computed in any case, so that it takes its time
    if password is None or not is_right or not _fits(said, hostname, nonce, service):
        return Failed("wrong")
    if (yield Challenge(b"rspauth=" + digest_response(said, password, encoding, ""))):
        raise Malformed
    return Proved(username)


def _response(data: bytes) -> dict[str, bytes]:
    """Return what a digest-response says. Raises Malformed."""
    said = parse_directives(data)
    if any(name not in said for name in _NEEDED):
        raise Malformed
    return said


def parse_directives(data: bytes) -> dict[str, bytes]:
    """Return what the client says: names in lower case, values without quotes and escapes. Raises Malformed, also
    when one comes twice.
    """
    found: dict[str, bytes] = {}
    at = 0
    while len(data) <= MAX_RESPONSE:
        match = _DIRECTIVE.match(data, at)
        if match is None:
            break
        name, value = match[1].decode("ascii").lower(), match[2]
        if name in found:
            break
        found[name] = _ESCAPED.sub(rb"\1", value[1:-1]) if value[:1] == b'"' else value
        at = match.end()
        if at == len(data):
            return found
        if data[at : at + 1] != b",":
            break
        at += 1
    raise Malformed


def digest_response(said: dict[str, bytes], password: str, encoding: str, method: str) -> bytes:
    """Return the `response` to what was *said* (RFC 2831 §2.1.2.1), or the server's with an empty *method*."""
    user = _hashable(_decoded(said["username"], encoding))
    realm = _hashable(_decoded(said.get("realm", b""), encoding))
    secret = md5(b":".join((user, realm, _hashable(password))), usedforsecurity=False).digest()
    a1 = b":".join((secret, said["nonce"], said["cnonce"]))
    if "authzid" in said:
        a1 += b":" + said["authzid"]
    a2 = f"{method}:".encode() + said["digest-uri"]
    parts = (_hexed(a1), said["nonce"], said["nc"], said["cnonce"], said.get("qop", b"auth"), _hexed(a2))
    return _hexed(b":".join(parts))


def _fits(said: dict[str, bytes], hostname: str, nonce: str, service: str) -> bool:
    """Whether it answers this challenge, and only this."""
    return (
        said["nonce"] == nonce.encode()
        and (said.get("qop", b"auth"), said["nc"]) == _ANSWERED_ONCE
        and said.get("realm", b"").lower() in (hostname.lower().encode(), b"")
        and said["digest-uri"].lower().startswith(f"{service}/".encode())
        and said.get("authzid", said["username"]) == said["username"]
    )


def _encoding(said: dict[str, bytes]) -> str:
    """Return how the names are encoded. Raises Malformed."""
    charset = said.get("charset")
    if charset is not None and charset.lower() != b"utf-8":
        raise Malformed
    return "latin-1" if charset is None else "utf-8"


def _decoded(value: bytes, encoding: str) -> str:
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        raise Malformed from None


def _hashable(text: str) -> bytes:
    """Return *text* in ISO 8859-1 where that can be, else in UTF-8: so it goes into the hash, whatever it was sent as
    (RFC 2831 §2.1.2.1).
    """
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")


def _hexed(data: bytes) -> bytes:
    return md5(data, usedforsecurity=False).hexdigest().encode()
