"""The server's exchanges: PLAIN (RFC 4616), LOGIN (as clients have always spoken it), CRAM-MD5 (RFC 2195)."""

from collections.abc import Callable
from functools import partial
from hashlib import md5
from hmac import HMAC, compare_digest

from angarium.smtp.sasl import digest, scram
from angarium.smtp.sasl.exchange import (
    Challenge,
    Claim,
    Claimed,
    Exchange,
    Failed,
    NeedSecrets,
    Proved,
    Secrets,
)
from angarium.smtp.sasl.steps import Course, CourseExchange, Malformed, as_name, as_text


def exchange_for(mechanism: str, hostname: str, nonce: str, now: float) -> Exchange:
    """Return the exchange of one of `sasl.MECHANISMS`.

    *nonce* is new each time, not to be guessed, and made of letters, digits, `-` and `_`. *now* is in seconds since
    1970 and stands in challenges only. Raises KeyError for another mechanism.
    """
    courses: dict[str, Callable[[bytes | None], Course]] = {
        "PLAIN": plain_course,
        "LOGIN": login_course,
        "CRAM-MD5": partial(cram_course, challenge=f"<{nonce}.{int(now)}@{hostname}>"),
        "DIGEST-MD5": partial(digest.server_course, hostname=hostname, nonce=nonce),
        "SCRAM-SHA-256": partial(scram.server_course, nonce=nonce),
    }
    return CourseExchange(courses[mechanism])


def plain_course(initial: bytes | None) -> Course:
    """Lead an exchange of PLAIN: `authzid NUL authcid NUL password`."""
    data = initial if initial is not None else (yield Challenge(b""))
    parts = as_text(data).split("\0")
    if len(parts) != 3:
        raise Malformed
    authzid, username, secret = parts
    if authzid not in ("", username):
        return Failed("wrong")
    return Claimed(Claim("PLAIN", as_name(username), secret, authzid))


def login_course(initial: bytes | None) -> Course:
    """Lead an exchange of LOGIN; the initial response is the user name, as Microsoft's clients send it."""
    data = initial if initial is not None else (yield Challenge(b"Username:"))
    username = as_name(as_text(data))
    secret = as_text((yield Challenge(b"Password:")))
    return Claimed(Claim("LOGIN", username, secret))


def cram_course(initial: bytes | None, challenge: str) -> Course:
    """Lead an exchange of CRAM-MD5: `username SP keyed-digest` answers *challenge*."""
    if initial is not None:  # the server speaks first
        raise Malformed
    username, separator, said = as_text((yield Challenge(challenge.encode()))).rpartition(" ")
    if not separator:
        raise Malformed
    secrets: Secrets | None = yield NeedSecrets(as_name(username))
    password = secrets.password if secrets is not None else None
    expected = cram_digest(challenge.encode(), password or "")
    is_right = compare_digest(expected.encode("ascii"), said.lower().encode())
    if password is None or not is_right:  # computed in any case, so that it takes its time
        return Failed("wrong")
    return Proved(username)


def cram_digest(challenge: bytes, password: str) -> str:
    """Return the keyed digest of *challenge* in hexadecimal."""
    return HMAC(password.encode(), challenge, md5).hexdigest()
