"""The numbers that stand for words, and for values that many rows share, in a day's file."""

import sqlite3
from collections.abc import Hashable, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

from angarium.query.words import folded, words

NOTHING = 1
"""The number of the empty word."""
_MOST = 50_000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
_encode = msgspec.msgpack.Encoder().encode


class Recent(Generic[_Key, _Value]):
    """What was used lately, in bounded memory: when the young are *most*, those before them go."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._young: dict[_Key, _Value] = {}
        self._old: dict[_Key, _Value] = {}

    def get(self, key: _Key) -> _Value | None:
        """Return what is known under *key*, None for nothing."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: _Key, value: _Value) -> None:
        """Know *value* from now on."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def forget(self) -> None:
        """Know nothing any more, as after a transaction that was undone."""
        self._young, self._old = {}, {}


class StoredWords:
    """Numbers of words that are searched. Within the transaction of whoever writes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._numbers: Recent[str, int] = Recent()
        self.forget = self._numbers.forget

    def number(self, text: str) -> int:
        """Return the number of *text*, made when it has none."""
        return NOTHING if not text else self._numbers.get(text) or self._stored(text)

    def numbers(self, texts: Iterable[str]) -> list[int]:
        """Return the numbers of several."""
        return [self.number(text) for text in texts]

    def _stored(self, text: str) -> int:
        found = self._db.execute("SELECT no FROM word WHERE text = ?", (text,)).fetchone()
        if found is None:
            sql = "INSERT INTO word (text, folded) VALUES (?, ?) RETURNING no"
            found = self._db.execute(sql, (text, folded(text))).fetchone()
        self._numbers.put(text, found[0])
        return int(found[0])


class SharedValues:
    """Numbers of values that many rows share: text as it is, all else as MessagePack. Within the transaction of whoever
    writes.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._numbers: Recent[Hashable, int] = Recent()
        self._once: Recent[str, bool] = Recent()

    def forget(self) -> None:
        """Forget what is in memory, as after a transaction that was undone."""
        self._numbers.forget()

    def number(self, value: Hashable) -> int:
        """Return the number of *value*, made when it has none."""
        return self._numbers.get(value) or self._stored(value)

    def text(self, text: str) -> str | int:
        """Return the number of a text that was met before, and lately; any other as it is."""
        number = self._numbers.get(text)
        if number is not None:
            return number
        if not text or self._once.get(text) is None:
            self._once.put(text, True)
            return text
        return self._stored(text)

    def _stored(self, value: Hashable) -> int:
        data = value if isinstance(value, str) else _encode(value)
        key = hash_of(data.encode() if isinstance(data, str) else data)
        found = self._db.execute("SELECT no FROM shared WHERE hash = ? AND value = ?", (key, data)).fetchone()
        if found is None:
            sql = "INSERT INTO shared (hash, value) VALUES (?, ?) RETURNING no"
            found = self._db.execute(sql, (key, data)).fetchone()
        self._numbers.put(value, found[0])
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
