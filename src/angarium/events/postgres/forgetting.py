"""Whom all mail of a day's tables was about, forgotten. A table `forgotten` in the day's schema says that it is."""

from angarium.events.forgetting import CODE, COUNTED
from angarium.events.postgres.schema import schema_of
from angarium.events.postgres.words import Cursor

_CODE = f"coalesce(substring(reply FROM '{CODE}'), '')"
_FORGET = (
    "UPDATE DAY.message SET sender = '', author = '', subject = '', message_id = '', metadata = NULL, meta = NULL",
    f"UPDATE DAY.recipient SET address = '', reply = {_CODE}, words = ts_filter(words, '{{c}}')",
    f"UPDATE DAY.event SET reply = {_CODE}, detail = CASE WHEN kind = {COUNTED} THEN detail END",
    "CREATE TABLE DAY.forgotten (is_swept boolean NOT NULL)",
    "INSERT INTO DAY.forgotten VALUES (false)",
)
SWEPT_TABLES = ("message", "recipient", "event")


def is_forgotten(cursor: Cursor, day: str) -> bool:
    """Whether nobody is named in the day any more, and what comes is to be taken without names."""
    found = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema_of(day)}.forgotten",)).fetchone()
    return found == (True,)


def is_swept(cursor: Cursor, day: str) -> bool:
    """Whether nothing of it is left in the tables' files."""
    found = is_forgotten(cursor, day) and cursor.execute(f"SELECT is_swept FROM {schema_of(day)}.forgotten")
    return bool(found) and cursor.fetchone() == (True,)


def forget(cursor: Cursor, day: str) -> None:
    """Take all that names somebody out of a day's tables."""
    for sql in _FORGET:
        cursor.execute(sql.replace("DAY.", f"{schema_of(day)}."))
