"""Who hears of an outbound connection's progress."""

from typing import TYPE_CHECKING, Protocol

from angarium.queue.commands import ConnectFailure, Result

if TYPE_CHECKING:
    from angarium.delivery.connection import Connection


class Owner(Protocol):
    """Who hears of a connection's progress; `dispatcher.Dispatcher` is one."""

    def connection_opened(self, connection: "Connection") -> None:
        """It is ready for mail."""
        ...

    def connection_failed(self, connection: "Connection", failure: ConnectFailure) -> None:
        """It never became ready, and is gone or going."""
        ...

    def connection_retried(self, connection: "Connection", failure: ConnectFailure) -> None:
        """It never became ready, has ended, and is to be opened again in another way; it knows which."""
        ...

    def transaction_finished(self, connection: "Connection", results: list[Result], usable: bool) -> None:
        """A transaction has ended; when not *usable* the connection is gone or going."""
        ...

    def connection_closed(self, connection: "Connection") -> None:
        """It was idle, and is gone or going."""
        ...

    def connection_ended(self, connection: "Connection") -> None:
        """Its socket has ended: only now the peer counts it no more. Said once, of one that is not retried.

        That of a transaction's connection may end before `transaction_finished`.
        """
        ...

    def body_wanted(self, connection: "Connection") -> None:
        """The peer is ready for a body that is fed in pieces."""
        ...

    def downgrade_wanted(self, connection: "Connection") -> None:
        """The peer cannot take the 8-bit body; the owner gives another one with `retry_with`."""
        ...
