"""Mail of example.com, and the keys that it is signed with."""

import asyncio
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from angarium.core.ids import MessageId
from angarium.core.records import ForwardPath, Message
from angarium.render.dkim import Keys, SigningKey

DOMAIN, ACCOUNT = "example.com", 7
_MESSAGE = Message(
    id=MessageId(b"1" * 16),
    received_at=0.0,
    reverse_path="a@example.com",
    recipients=(ForwardPath(address="one@far.test", domain="far.test"),),
    binding="default",
    lane=0,
    tenant="",
    trace=b"Received: by mail.test; Thu, 1 Jan 1970 00:00:00 +0000\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n",
    body_size=0,
    account=ACCOUNT,
    author_domain=DOMAIN,
)


def mail_to_sign(body: bytes, **changes: Any) -> Message:
    """Return a message of `DOMAIN` and `ACCOUNT` with *body*."""
    return msgspec.structs.replace(_MESSAGE, body_size=len(body), **changes)


def make_key(selector: str = "e1") -> SigningKey:
    """Return a new key of `DOMAIN`."""
    return SigningKey(DOMAIN, selector, "ed25519", Ed25519PrivateKey.generate())


class KeyStore:
    """A `delivery.signing.KeyFinder` that has *keys*. One that is not known has to be waited for until `may_come`.

    *error* is raised to those who waited. *questions* are what was asked: accounts and domains.
    """

    def __init__(self, keys: Keys, *, is_known: bool = True) -> None:
        self.keys = keys
        self.is_known = is_known
        self.may_come = asyncio.Event()
        self.error: Exception | None = None
        self.questions: list[tuple[int, str]] = []
        if is_known:
            self.may_come.set()

    def signing_keys_now(self, account: int, domain: str) -> Keys | None:
        """See `KeyFinder`."""
        self.questions.append((account, domain))
        found = self._find(account, domain)
        return found if self.is_known or not found else None

    async def signing_keys(self, account: int, domain: str) -> Keys:
        """See `KeyFinder`."""
        await self.may_come.wait()
        if self.error is not None:
            raise self.error
        return self._find(account, domain)

    def _find(self, account: int, domain: str) -> Keys:
        return self.keys if (account, domain) == (ACCOUNT, DOMAIN) else ()
