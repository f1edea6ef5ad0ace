"""A page of memory that all workers share: who has how many sessions, how much of unfinished messages, how much mail of
each account waits, and how many connections by HTTP each worker has.

Each worker writes its own row and reads all rows, so there are no locks; a number may be a moment old. It serves two
ends: connections are spread over workers, and limits per peer, per account and in all hold across workers.
"""

import hashlib
import mmap
import os

from angarium.core.waiting import WaitingCount

_BUCKETS = 1 << 15
_ACCOUNTS = 1 << 14
_PEERS_AT = 12
_HELD_AT = _PEERS_AT + 2 * _BUCKETS
_WAITING_AT = _HELD_AT + 8 * _BUCKETS
_ROW = _WAITING_AT + 16 * _ACCOUNTS
_MOST = 0xFFFF
_KEY_BYTES = 16


class HttpCounts:
    """The connections by HTTP of all workers: for each worker, those open, and all that it ever took (modulo 2**32)."""

    def __init__(self, rows: list[memoryview], row: int) -> None:
        self._rows = rows
        self._mine = rows[row]

    def enter(self) -> None:
        """Count a connection in."""
        self._mine[0] += 1
        self._mine[1] = (self._mine[1] + 1) & 0xFFFFFFFF

    def leave(self) -> None:
        """Count it out."""
        self._mine[0] -= 1

    def surplus(self) -> int:
        """How many more this worker has than the one with the fewest."""
        return self._mine[0] - min(row[0] for row in self._rows)

    def taken(self) -> tuple[int, ...]:
        """What each worker ever took. While this stays the same, no worker takes any."""
        return tuple(row[1] for row in self._rows)


class SessionCounts:
    """The rows of all workers, in an anonymous file that is inherited by *fd*.

    Peers are counted by a hash of their network, so two peers may be counted together: a limit can come a little
    early for one in tens of thousands, never late. The hash has a key, which stands behind the rows, so that no client
    can choose addresses that are counted as another's. Accounts go by their ids: two are counted together only where
    there are more than sixteen thousand.
    """

    def __init__(self, fd: int, workers: int, row: int) -> None:
        self._memory = mmap.mmap(fd, workers * _ROW + _KEY_BYTES)
        view = memoryview(self._memory)
        self._totals = [view[i * _ROW : i * _ROW + 4].cast("I") for i in range(workers)]
        self._peers = [view[i * _ROW + _PEERS_AT : i * _ROW + _HELD_AT].cast("H") for i in range(workers)]
        self._held = [view[i * _ROW + _HELD_AT : i * _ROW + _WAITING_AT].cast("q") for i in range(workers)]
        self._waiting = [view[i * _ROW + _WAITING_AT : (i + 1) * _ROW].cast("q") for i in range(workers)]
        self._row = row
        http = [view[i * _ROW + 4 : i * _ROW + _PEERS_AT].cast("I") for i in range(workers)]
        self.http = HttpCounts(http, row)
        self._key = self._memory[workers * _ROW :]

    @staticmethod
    def make_fd(workers: int) -> int:
        """Make the shared memory for *workers* rows and return its inheritable file descriptor."""
        fd = os.memfd_create("angarium-counts", 0)
        os.ftruncate(fd, workers * _ROW + _KEY_BYTES)
        os.pwrite(fd, os.urandom(_KEY_BYTES), workers * _ROW)
        os.set_inheritable(fd, True)
        return fd

    def clear(self, row: int) -> None:
        """Forget the sessions of a worker that died."""
        self._memory[row * _ROW : (row + 1) * _ROW] = bytes(_ROW)

    def enter(self, peer: str) -> None:
        """Count a session of *peer* in: the network of its address (`core.peers.network_of`)."""
        self._totals[self._row][0] += 1
        bucket = self._bucket(peer)
        self._peers[self._row][bucket] = min(_MOST, self._peers[self._row][bucket] + 1)

    def leave(self, peer: str) -> None:
        """Count it out."""
        self._totals[self._row][0] = max(0, self._totals[self._row][0] - 1)
        bucket = self._bucket(peer)
        self._peers[self._row][bucket] = max(0, self._peers[self._row][bucket] - 1)

    def sessions(self) -> int:
        """Sessions of all workers."""
        return sum(total[0] for total in self._totals)

    def sessions_of(self, peer: str) -> int:
        """Sessions of *peer* in all workers."""
        bucket = self._bucket(peer)
        return sum(peers[bucket] for peers in self._peers)

    def hold(self, peer: str, more: int) -> None:
        """Count *more* bytes of unfinished messages of *peer*; negative when they are finished or gone."""
        held, bucket = self._held[self._row], self._bucket(peer)
        held[bucket] = max(0, held[bucket] + more)

    def held_by(self, peer: str) -> int:
        """Bytes of unfinished messages of *peer* in all workers."""
        bucket = self._bucket(peer)
        return sum(held[bucket] for held in self._held)

    def surplus(self) -> int:
        """How many more sessions this worker has than the one with the fewest."""
        return self._totals[self._row][0] - min(total[0] for total in self._totals)

    # -- core.waiting.WaitingMail

    def wait(self, account: int, recipients: int, size_bytes: int) -> None:
        """See WaitingMail. Less than nothing is possible while a start still sums up what the last run left."""
        mine, at = self._waiting[self._row], 2 * (account % _ACCOUNTS)
        mine[at] += recipients
        mine[at + 1] += size_bytes

    def waiting(self, account: int) -> WaitingCount:
        """See WaitingMail."""
        at = 2 * (account % _ACCOUNTS)
        return WaitingCount(
            sum(max(0, row[at]) for row in self._waiting), sum(max(0, row[at + 1]) for row in self._waiting)
        )

    def _bucket(self, peer: str) -> int:
        digest = hashlib.blake2b(peer.encode(), key=self._key, digest_size=4).digest()
        return int.from_bytes(digest) % _BUCKETS
