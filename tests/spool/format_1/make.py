"""Make the spool of format 1 that `test_spool_format.py` upgrades. Run with the program of before format 2:

    git archive 8aaa696 src | tar -x -C /tmp/before
    PYTHONPATH=/tmp/before/src .venv/bin/python tests/spool/format_1/make.py tests/spool/format_1/spool.tar.gz

Every kind of mail that a spool can hold is in it: queued, delayed, held, settled, half settled, large, to be reported
as failed, and finished. The process ends as by kill -9, so the store's write-ahead log is there as well. In
`expected.json` stands by message id what must be found of it.
"""

import asyncio
import hashlib
import json
import os
import sys
import tarfile
import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path

import msgspec

from angarium.core.reply import Reply
from angarium.spool.partition import open_partition
from angarium.spool.port import Selection
from angarium.testing.spool import SMALL, SpoolDriver, make_message

THEN = 4_000_000_000.0
"""Far ahead, so that nothing of it ever expires: who wants it delivered flushes it."""
SETTINGS = replace(SMALL, store_reserve_bytes=0)
_seconds = count()


class Books:
    """What must be found: of each message its body, and of each recipient that is not finished its state."""

    def __init__(self):
        self.messages = {}

    def add(self, message, body, recipients, settled=False):
        self.messages[message.id.hex()] = {
            "body": hashlib.sha256(body).hexdigest(),
            "fate": "fail" if message.refusal is not None else "deliver",
            "sender": message.reverse_path,
            "settled": settled,
            "recipients": {
                str(r.index): {
                    "address": r.path.address,
                    "state": r.state,
                    "seq": r.seq,
                    "attempts": r.attempts,
                    "due_at": r.due_at,
                }
                for r in recipients
            },
        }


def text_of(size):
    """Some lines that no other message has."""
    noise = os.urandom(size // 2).hex().encode()
    return b"".join(noise[at : at + 70] + b"\r\n" for at in range(0, size, 70))


def a_message(*domains, body):
    return make_message(*domains, size=len(body), received_at=THEN + next(_seconds))


async def take(spool, books, *domains, body, refusal=None, keep=True):
    message = msgspec.structs.replace(a_message(*domains, body=body), refusal=refusal)
    recipients = await spool.take(message, body)
    if keep:
        books.add(message, body, recipients)
    return message, recipients


async def a_day(spool, books):
    # finished mail in front, so that segments are released and their files used again
    for _ in range(40):
        _, (one,) = await take(
            spool, books, "done.example", body=b"Subject: done\r\n\r\n" + b"x" * 6000, keep=False
        )
        await spool.tell(one, "delivered")
    await take(spool, books, "queued.example", "two.example", body=b"Subject: queued\r\n\r\nFrom here\r\n")
    message, (delayed, done) = await take(
        spool, books, "delayed.example", "done.example", body=b"Subject: 2\r\n\r\n"
    )
    await spool.tell(delayed, "queued", due_at=THEN + 500)
    await spool.tell(done, "delivered")
    books.add(message, b"Subject: 2\r\n\r\n", [delayed])
    message, (held,) = await take(spool, books, "held.example", body=b"Subject: held\r\n\r\n")
    await spool.tell(held, "held")
    books.add(message, b"Subject: held\r\n\r\n", [held])
    await take(
        spool, books, "fail.example", body=b"Subject: fail\r\n\r\n", refusal=Reply(550, "5.1.1", "tested")
    )
    # settled: whole, half, held
    message, (one,) = await take(
        spool, books, "settled.example", body=b"Subject: settled\r\n\r\n" + b"y" * 900 + b"\r\n"
    )
    await spool.tell(one, "queued", due_at=THEN + 900)
    assert await spool.settle(one) is None
    books.add(message, b"Subject: settled\r\n\r\n" + b"y" * 900 + b"\r\n", [one], settled=True)
    message, (one, other) = await take(
        spool, books, "settled.example", "live.example", body=b"Subject: half\r\n\r\n"
    )
    assert await spool.settle(one) is None
    books.add(message, b"Subject: half\r\n\r\n", [one, other])
    message, (one,) = await take(spool, books, "settled.example", body=b"Subject: held as well\r\n\r\n")
    await spool.tell(one, "held")
    assert await spool.settle(one) is None
    books.add(message, b"Subject: held as well\r\n\r\n", [one], settled=True)
    body = b"Subject: no room\r\n\r\n"
    message = a_message("settled.example", body=body)
    assert await spool.accept(message, body, settled=True) is None
    (recipient,) = await spool.spool.select(Selection(message=message.id), None, 9)
    books.add(message, body, [recipient], settled=True)
    # large: one in the journal, one settled
    for settled in (False, True):
        body = b"Subject: large\r\n\r\n" + text_of(9000)
        message = a_message("large.example", body=body)
        (one,) = await spool.take(message, await spool.large(message, [body[:4000], body[4000:]]))
        if settled:
            assert await spool.settle(one) is None
        books.add(message, body, [one], settled=settled)


async def live(path, books):
    partition = open_partition(path, asyncio.get_running_loop(), SETTINGS)
    partition.recover()
    await asyncio.wait_for(a_day(SpoolDriver(partition), books), 60)


def main(target):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p0"
        if os.fork() == 0:
            books = Books()
            asyncio.run(live_and_die(path, books))
        os.wait()
        with tarfile.open(target, "w:gz") as tar:
            for name in ("expected.json", "p0"):
                tar.add(Path(folder) / name, name, filter=nobody)
    print(target, Path(target).stat().st_size, "bytes")


async def live_and_die(path, books):
    await live(path, books)
    (path.parent / "expected.json").write_text(json.dumps(books.messages, indent=1))
    os._exit(0)  # as by kill -9: nothing is closed


def nobody(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry if not entry.name.endswith("-shm") else None


if __name__ == "__main__":
    main(sys.argv[1])
