"""The numbers that stand for words, and for values that many rows share, in a day's file."""

import sqlite3
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

import msgspec

from angarium.events.rows import FIRST_FACT
from angarium.events.sqlite.schema import REPLY_BITS
from angarium.query.words import folded, words

NOTHING = 1
"""The number of the empty word."""

_EVENT_REPLIES, _FACT_REPLIES = 1_000, 23
"""So many replies of a recipient have a row of their own in the index; later ones share the last."""

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
_encode = msgspec.msgpack.Encoder().encode


class Recent(dict[_Key, _Value]):
    """What was used lately, in bounded memory; what is not there is made by *make*.

    A dictionary, since that finds in C what it has. When it has *most*, all of it becomes old, and is forgotten when
    there are as many again.
    """

    def __init__(self, make: Callable[[_Key], _Value], most: int) -> None:
        super().__init__()
        self._make = make
        self._most = most
        self._old: dict[_Key, _Value] = {}

    def __missing__(self, key: _Key) -> _Value:
        value = self._old.get(key)
        if value is None:
            value = self._make(key)
        self.put(key, value)
        return value

    def put(self, key: _Key, value: _Value) -> None:
        """Know *value* from now on."""
        if len(self) >= self._most:
            self._old = dict(self)
            self.clear()
        self[key] = value

    def knows(self, key: _Key) -> bool:
        """Whether there is something in memory; it is used lately, then."""
        if key in self:
            return True
        value = self._old.get(key)
        if value is not None:
            self.put(key, value)
        return value is not None

    def forget(self) -> None:
        """Know nothing any more, as after a transaction that was undone."""
        self.clear()
        self._old.clear()


class StoredWords:
    """Numbers of words that are searched, *most* in memory. Within the transaction of whoever writes."""

    def __init__(self, db: sqlite3.Connection, most: int) -> None:
        self._db = db
        self._numbers: Recent[str, int] = Recent(self._stored, most)
        self.number: Callable[[str], int] = self._numbers.__getitem__
        """Returns the number of a word, made when it has none."""
        self.forget = self._numbers.forget

    def numbers(self, texts: Iterable[str]) -> list[int]:
        """Return the numbers of several."""
        return [self.number(text) for text in texts]

    def _stored(self, text: str) -> int:
        if not text:
            return NOTHING
        found = self._db.execute("SELECT no FROM word WHERE text = ?", (text,)).fetchone()
        if found is None:
            sql = "INSERT INTO word (text, folded) VALUES (?, ?) RETURNING no"
            found = self._db.execute(sql, (text, folded(text))).fetchone()
        return int(found[0])


class SharedValues:
    """Numbers of values that many rows share: text as it is, all else as MessagePack. Within the transaction of whoever
    writes. *most* are in memory.
    """

    def __init__(self, db: sqlite3.Connection, most: int) -> None:
        self._db = db
        self._numbers: Recent[Hashable, int] = Recent(self._stored, most)
        self._met: Recent[Hashable, bool] = Recent(lambda value: False, most)
        self.forget = self._numbers.forget

    def share(self, value: _Value) -> _Value | int:
        """Return the number of a value that was met before, and lately; any other as it is: most of what is written
        once is never written again.
        """
        number = self._numbers.get(value)
        if number is not None:
            return number
        if value and self._met[value]:
            return self._numbers[value]
        self._met[value] = True
        return value

    def _stored(self, value: Hashable) -> int:
        data = value if isinstance(value, str) else _encode(value)
        key = hash_of(data.encode() if isinstance(data, str) else data)
        found = self._db.execute("SELECT no FROM shared WHERE hash = ? AND value = ?", (key, data)).fetchone()
        if found is None:
            sql = "INSERT INTO shared (hash, value) VALUES (?, ?) RETURNING no"
            found = self._db.execute(sql, (key, data)).fetchone()
        return int(found[0])


def hash_of(data: bytes) -> int:
    """Return a number of 46 bits for *data*: SQLite keeps it in six bytes."""
    return int.from_bytes(blake2b(data, digest_size=6).digest(), "big") >> 2


@lru_cache(maxsize=20_000)
def cut(*texts: str) -> str:
    """Return the words of *texts* as the index wants them, with something between two texts that is no word, so that no
    phrase goes from one into the next.
    """
    return " · ".join(" ".join(words(text)) for text in texts)


def reply_row(recipient: int, seq: int) -> int:
    """Return the number of a reply's row in the index; those of facts lie behind the ones of events."""
    place = min(seq, _EVENT_REPLIES) if seq < FIRST_FACT else _EVENT_REPLIES + 1 + seq % _FACT_REPLIES
    return recipient << REPLY_BITS | place


def marks_of(account: int, server: int, stream: int, campaign: int, tags: Iterable[int]) -> str:
    """Return what of a message is searched as a whole: a letter and a number each (`leads.SIGNS`)."""
    marks = [("a", account, 0), ("v", server, 0), ("s", stream, NOTHING), ("c", campaign, NOTHING)]
    said = [f"{sign}{number}" for sign, number, nothing in marks if number != nothing]
    return " ".join([*said, *(f"t{tag}" for tag in tags if tag != NOTHING)])
