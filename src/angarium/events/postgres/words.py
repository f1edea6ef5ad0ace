"""The numbers that stand for words in a day's tables, and texts as PostgreSQL takes them."""

from collections.abc import Iterable
from typing import Any

import psycopg

from angarium.query.words import folded

Cursor = psycopg.Cursor[tuple[Any, ...]]

NOTHING = 1
"""The number of the empty word."""
_MOST = 100_000


def storable(text: str) -> str:
    """Return *text* without what PostgreSQL's texts cannot hold: NUL, and halves of characters."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class NumberedWords:
    """Numbers of the words of the day in *schema*, those asked for lately in memory. Nobody else may add to them."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._numbers: dict[str, int] = {}

    def learn(self, cursor: Cursor, texts: Iterable[str]) -> None:
        """Have numbers for all *texts*. Raises psycopg.Error."""
        if len(self._numbers) > _MOST:
            self.forget()
        new = {text for text in map(storable, texts) if text and text not in self._numbers}
        if not new:
            return
        cursor.execute(f"SELECT text, no FROM {self._schema}.word WHERE text = ANY(%s)", (list(new),))
        self._numbers.update(cursor.fetchall())
        self._add(cursor, sorted(new - self._numbers.keys()))

    def number(self, text: str) -> int:
        """Return the number of a text that was learnt."""
        return self._numbers[storable(text)] if text else NOTHING

    def forget(self) -> None:
        """Forget what is in memory, as after a transaction that was undone."""
        self._numbers.clear()

    def _add(self, cursor: Cursor, texts: list[str]) -> None:
        if not texts:
            return
        last = cursor.execute(f"SELECT max(no) FROM {self._schema}.word").fetchone()
        assert last is not None
        rows = [(number, text, storable(folded(text))) for number, text in enumerate(texts, last[0] + 1)]
        cursor.executemany(f"INSERT INTO {self._schema}.word (no, text, folded) VALUES (%s, %s, %s)", rows)
        self._numbers.update((text, number) for number, text, _ in rows)
