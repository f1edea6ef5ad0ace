"""Erasures of recipients, as the audit log tells of them: who, when, how many; whom, only by a mark."""

import hmac
from typing import Final

from angarium.identity.secrets import KeyRing
from angarium.sql.changes import ChangeLog

_PURPOSE: Final = b"marks of erased recipients"
_MARK_BYTES: Final = 12


class ErasureAudit:
    """Entries about erasures. A mark is made with the node's key: whoever has an address and the key finds its entries,
    and nobody makes an address of them.
    """

    def __init__(self, log: ChangeLog, ring: KeyRing) -> None:
        self._log = log
        self._ring = ring

    def mark(self, address: str) -> str:
        """Return what *address*, however it is spelt, is called."""
        key = self._ring.derived(_PURPOSE)
        return hmac.digest(key, address.strip().casefold().encode(), "sha256")[:_MARK_BYTES].hex()

    def asked(self, mark: str, account: int | None, *, actor: str) -> None:
        """Note that somebody wants to have a recipient erased; *account* None: of all mail of the node."""
        with self._log.changing(actor) as change:
            change.note("erase", f"recipient {mark}", account)

    def ended(
        self, mark: str, account: int | None, number: int, found: int, texts: int, *, actor: str
    ) -> None:
        """Note that the erasure *number* has ended: so many recipients of messages, and kept texts."""
        with self._log.changing(actor) as change:
            after = {"erasure": number, "recipients": found, "texts": texts}
            change.note("erased", f"recipient {mark}", account, after=after)
