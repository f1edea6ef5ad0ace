"""The forms in which somebody says who they are. Pure: a user name and a secret in, what to look up out.

| user name | secret | who |
|---|---|---|
| a server token | the same token | the server |
| the access key of an SMTP token | its secret key | the stream it is bound to |
| `SMTP_Injection`, with or without the number of an account | an API key that may send | its account |
| the name of an SMTP login | its password | the login |
| an e-mail address | its password | the person, every optional feature off |
"""

import re
from typing import Final, Literal, NamedTuple

from angarium.dialects.postmark.names import ACCESS_KEY
from angarium.dialects.sparkpost.names import INJECTION
from angarium.identity.records import Kind
from angarium.identity.secrets import digest_of
from angarium.smtp.sasl.exchange import PASSWORD_MECHANISMS

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LOGIN_NAME = re.compile(r"[0-9a-f]{32}")
"""What `secrets.new_username` makes."""

SCRAM: Final = "SCRAM-SHA-256"

_NAMED: Final[frozenset[Kind]] = frozenset(("smtp_token", "smtp_login"))
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MAX_NAME_CHARS = 320


class LoginQuestion(NamedTuple):
    """Whom to look up: by the *digest* of the secret, by *username* or by *email*; only *kinds* are meant.

    *digest* is that of the secret given, whatever is looked up by, for the one comparison that every login gets; empty
    where a challenge keeps the secret with the client. *account*: it has to be this one, if not None.
    """

    by: Literal["digest", "username", "email"]
    value: str
    digest: bytes
    kinds: frozenset[Kind]
    account: int | None = None


def question_of(username: str, secret: str) -> LoginQuestion:
    """Return whom a user name and a secret mean."""
    username, secret = _storable(username), _storable(secret)
    injection = INJECTION.fullmatch(username)
    if injection is not None:
        account = int(injection[1]) if injection[1] else None
        return LoginQuestion("digest", "", digest_of(secret), frozenset(("api_key",)), account)
    if _UUID.fullmatch(username) and username.lower() == secret.lower():
        return LoginQuestion("digest", "", digest_of(secret.lower()), frozenset(("server_token",)))
    name = username[:_MAX_NAME_CHARS]
    if "@" in name:
        return LoginQuestion("email", name.lower(), digest_of(secret), frozenset(("person",)))
    return LoginQuestion("username", name, digest_of(secret), _NAMED)


def challenge_question_of(username: str) -> LoginQuestion:
    """Return whom a user name means where the secret is not sent. A server token is its own name, and so is known."""
    username = _storable(username)
    if _UUID.fullmatch(username):
        return LoginQuestion("digest", "", digest_of(username.lower()), frozenset(("server_token",)))
    return LoginQuestion("username", username[:_MAX_NAME_CHARS], b"", _NAMED)


def can_be_challenged(username: str) -> bool:
    """Whether somebody so called may have a secret for challenges: API keys share a name, and a person's password is
    kept as a hash only.
    """
    return "@" not in username and INJECTION.fullmatch(username) is None


def may_guess(mechanism: str, username: str) -> bool:
    """Whether a failed login may have been a guess. That hangs on nothing but what the client says, or else whoever
    counts its failures would learn who there is, and of whom a secret is kept.

    Programs try a challenge first, then send the password. CRAM-MD5 and DIGEST-MD5 few logins can use; whoever can has
    a random secret, at which guessing is in vain.
    """
    return mechanism in PASSWORD_MECHANISMS or (mechanism == SCRAM and can_be_challenged(username))


def _storable(text: str) -> str:
    """Return *text* without what no database takes and no name or secret contains."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def shown(username: str) -> str:
    """Return *username* as it may stand in a log. What is not known to be no secret is cut: tokens are user names
    too, and people paste passwords into the wrong field.
    """
    name = username[:_MAX_NAME_CHARS]
    if any(usual.fullmatch(name) for usual in (ACCESS_KEY, _LOGIN_NAME, INJECTION, _EMAIL)):
        return name
    return f"{name[:4]}…" if len(name) > 8 else "…"
