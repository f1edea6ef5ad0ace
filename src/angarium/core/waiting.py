"""How much mail of each account waits: told by what accepts and delivers, asked by what lets senders in."""

from functools import lru_cache
from typing import Final, NamedTuple, Protocol

ACCOUNT_TENANT: Final = "account-"
"""What the `Message.tenant` of an account's mail begins with; its id follows."""


@lru_cache(4096)
def account_of(tenant: str) -> int:
    """Return the account that a `Message.tenant` stands for, reports about its mail among it; 0: none."""
    if tenant[: len(ACCOUNT_TENANT)] != ACCOUNT_TENANT:
        return 0
    number = tenant[len(ACCOUNT_TENANT) :]
    return int(number) if number.isdecimal() else 0


class WaitingCount(NamedTuple):
    """Recipients that wait, and the bytes that are to be sent to them: those of a message once for each of its own."""

    recipients: int = 0
    bytes: int = 0


class WaitingMail(Protocol):
    """Counts the waiting mail of accounts, over all workers of the node; `node.session_counts.SessionCounts` is one."""

    def wait(self, account: int, recipients: int, size_bytes: int) -> None:
        """So many more wait, for that many bytes; both may be negative."""
        ...

    def waiting(self, account: int) -> WaitingCount:
        """Return what waits of *account*; of other workers it may be a moment old."""
        ...


class NothingWaits:
    """Where nothing is counted."""

    def wait(self, account: int, recipients: int, size_bytes: int) -> None:
        """See WaitingMail."""

    def waiting(self, account: int) -> WaitingCount:
        """See WaitingMail."""
        return WaitingCount()


NOTHING_WAITS = NothingWaits()
