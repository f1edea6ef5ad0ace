"""What a session does with mail that is for this node itself: a transaction has such recipients, or others."""

from typing import Literal

from angarium.core.records import ForwardPath
from angarium.core.reply import Reply
from angarium.submission.own_addresses import NOT_TOGETHER, REFUSALS, TOO_LARGE, TOO_MANY, Purpose, passed_on
from angarium.submission.session.peer import SessionPeer
from angarium.submission.session.reception import Reception


class TransactionToUs:
    """Decides about the recipients of one transaction after the other that may be this node's own.

    *purpose* is what the open one is for; empty: for others.
    """

    __slots__ = ("_peer", "_reception", "purpose")

    def __init__(self, reception: Reception, peer: SessionPeer) -> None:
        self.purpose: Purpose | Literal[""] = ""
        self._reception = reception
        self._peer = peer

    def judge(self, path: ForwardPath, size: int, *, is_first: bool, submits: bool) -> Reply | Purpose | None:
        """Return what *path* is to this node, a refusal, or None: it is another's. *size* is what was announced.

        Who *submits* may write to a person at a host's name as to anybody else, unless the operator has said who that
        is.
        """
        reception = self._reception
        found = reception.own.judge(path.address, path.domain, reception.clock.now())
        if found == "person" and submits and reception.config.globals.postmaster_address is None:
            return None
        if found is None:
            return None
        if isinstance(found, Reply):
            return self.refuses(found)
        return self.joins(found, size, is_first=is_first)

    def joins(self, purpose: Purpose, size: int, *, is_first: bool) -> Reply | Purpose:
        """Let a recipient for *purpose* be one of the transaction, or say why not."""
        options, network = self._reception.config.globals, self._peer.network
        if not is_first and purpose != self.purpose:
            return NOT_TOGETHER
        if size > options.feedback_max_size:
            return self.refuses(TOO_LARGE)
        now = self._reception.clock.now()
        if self._reception.feedback_rate.is_used_up(network, now, options.feedback_per_minute):
            return self.refuses(TOO_MANY)
        self.purpose = purpose
        return purpose

    def refuses_size(self, size: int) -> Reply | None:
        """Return why a text of so many bytes is not taken, or None."""
        if self.purpose and size > self._reception.config.globals.feedback_max_size:
            return self.refuses(TOO_LARGE)
        return None

    def end(self, recipients: list[ForwardPath], head: bytes) -> list[ForwardPath] | None:
        """The text of a transaction for *purpose* has come: return those to whom it is passed on, None where it is read
        here.
        """
        reception = self._reception
        reception.feedback_rate.count(self._peer.network, reception.clock.now())
        to = reception.config.globals.postmaster_address if self.purpose == "person" else None
        passed = passed_on(recipients, head, to)
        reception.counters.add("feedback_total", "read" if passed is None else "passed_on")
        return passed

    def refuses(self, reply: Reply) -> Reply:
        """Count a refusal, and return it."""
        self._reception.counters.add("feedback_refused_total", REFUSALS[reply])
        return reply
