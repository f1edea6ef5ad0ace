"""All rows of tables from one database into another, of either kind, with the number that each would give next.

A number that was given once is never given again, and a database keeps the last one beside the rows: SQLite in a table,
PostgreSQL in a sequence. Rows that come with their numbers do not move a sequence at all.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Table, delete, func, insert, select, text

Progress = Callable[[int], None]
"""Told how many rows have been copied."""

_ROWS_AT_ONCE = 500


def counts(connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
    """Return how many rows each table has."""
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def clear(connection: Connection, tables: Sequence[Table]) -> None:
    """Delete all rows; *tables* are in the order in which they name each other."""
    for table in reversed(tables):
        connection.execute(delete(table))


def copy(source: Connection, target: Connection, tables: Sequence[Table], progress: Progress) -> None:
    """Copy all rows of *tables*, which are empty in *target*, and the numbers that were given.

    *tables* are in the order in which they name each other. What *source* shows has to be of one moment.
    """
    done = 0
    for table in tables:
        names = table.columns.keys()
        found = source.execute(select(table), execution_options={"yield_per": _ROWS_AT_ONCE})
        for rows in found.partitions():
            target.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
            done += len(rows)
            progress(done)
        if (last := last_number(source, table)) is not None:
            _set_last_number(target, table, last)


def last_number(connection: Connection, table: Table) -> int | None:
    """Return the last number that *table* has given to a row; None when it has given none, or gives none."""
    if not _gives_numbers(table):
        return None
    values = {"table": table.name}
    if connection.dialect.name == "sqlite":
        last = connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :table"), values)
    else:
        sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, 'id')"), values)
        last = connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value END FROM {sequence}"))
    return None if last is None else int(last)


def _gives_numbers(table: Table) -> bool:
    return bool(table.dialect_options["sqlite"]["autoincrement"])


def _set_last_number(connection: Connection, table: Table, last: int) -> None:
    values = {"table": table.name, "last": last}
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), values)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"), values)
    else:
        connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"), values)
