"""The numbers that stand for words in a day's file."""

import sqlite3
from collections.abc import Iterable

from angarium.query.words import folded

NOTHING = 1
"""The number of the empty word."""
_MOST = 100_000


class StoredWords:
    """Numbers of words, those asked for lately in memory. Within the transaction of whoever writes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of *text*, made when it has none."""
        if not text:
            return NOTHING
        number = self._numbers.get(text)
        if number is None:
            if len(self._numbers) >= _MOST:
                self.forget()
            number = self._numbers[text] = self._stored(text)
        return number

    def numbers(self, texts: Iterable[str]) -> list[int]:
        """Return the numbers of several."""
        return [self.number(text) for text in texts]

    def forget(self) -> None:
        """Forget what is in memory, as after a transaction that was undone."""
        self._numbers.clear()

    def _stored(self, text: str) -> int:
        found = self._db.execute("SELECT no FROM word WHERE text = ?", (text,)).fetchone()
        if found is not None:
            return int(found[0])
        made = self._db.execute("INSERT INTO word (text, folded) VALUES (?, ?)", (text, folded(text)))
        assert made.lastrowid is not None
        return made.lastrowid
