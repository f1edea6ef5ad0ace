"""The tables of suppressions, the same for SQLite and PostgreSQL; they stand in the identity store's database.

Every change of `causes` raises the one row of `changes` in its own transaction, whose lock puts changes in an order,
and writes that number to the rows that it changes: whoever keeps a picture of them reads those above the number that
the picture is of. A picture of another *epoch* is of another database.
"""

import secrets
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    insert,
)

metadata: Final = MetaData(
    naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)

ID: Final = BigInteger().with_variant(Integer, "sqlite")
_NUMBERS: Any = {"sqlite_autoincrement": True}

causes = Table(
    "suppression_causes",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account", ID),  # a foreign key in the database: they go with their account
    Column("kind", String(10), nullable=False),
    Column("what", Text, nullable=False),
    Column("scope", String(60), nullable=False),
    Column("effect", String(10), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("origin", String(10), nullable=False),
    Column("at", Float, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("holds", Boolean, nullable=False),
    Column("expires_at", Float),
    Column("message", LargeBinary(16)),
    Column("sent_to", Text, nullable=False),
    Column("event", BigInteger),
    Column("reply", Text, nullable=False),
    Column("bounce_class", Integer),
    Column("provider", String(60), nullable=False),
    Column("run", String(60), nullable=False),
    Column("note", Text, nullable=False),
    Column("lifted_by", ID),
    Column("undone_at", Float),
    Column("undone_by", String(200), nullable=False),
    Column("entry", BigInteger, nullable=False),  # see `address.entry_of`
    Column("once", LargeBinary(16)),  # of list, reason, message and address: NULL where there is no message
    Column("changed", BigInteger, nullable=False),
    UniqueConstraint("once"),
    Index("ix_suppression_causes_entry", "entry", "holds"),  # all that holds, in the order of a hash file
    Index("ix_suppression_causes_account", "account", "id"),
    Index("ix_suppression_causes_changed", "changed"),
    **_NUMBERS,
)

changes = Table(
    "suppression_changes",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("number", BigInteger, nullable=False),
    Column("epoch", String(16), nullable=False),
)


notes = Table(
    "suppression_notes",
    metadata,
    Column("id", ID, primary_key=True),
    Column("once", LargeBinary(16), nullable=False),  # of account, message and the address that was sent to
    Column("state", String(10), nullable=False),
    Column("account", ID, nullable=False),  # a foreign key in the database: they go with their account
    Column("what", Text, nullable=False),
    Column("scope", String(60), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("at", Float, nullable=False),
    Column("day", String(10), nullable=False),
    Column("message", LargeBinary(16), nullable=False),
    Column("sent_to", Text, nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("rule", String(60), nullable=False),
    Column("why", Text, nullable=False),
    Column("failure", String(40), nullable=False),
    Column("bounce_class", Integer, nullable=False),
    Column("reply", Text, nullable=False),
    Column("provider", String(60), nullable=False),
    Column("burst", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("changed_at", Float),
    Column("changed_by", String(200), nullable=False),
    UniqueConstraint("once"),
    Index("ix_suppression_notes_what", "account", "what", "at"),
    Index("ix_suppression_notes_state", "state", "burst"),
    **_NUMBERS,
)

reading = Table(
    "suppression_reading",
    metadata,
    Column("reader", String(200), primary_key=True),  # an event store that causes are read from
    Column("number", BigInteger, nullable=False),
)


@event.listens_for(changes, "after_create")
def _begin_counting(_table: object, connection: Connection, **_more: object) -> None:
    """The first migration does the same: there is always one row to lock."""
    connection.execute(insert(changes).values(id=1, number=0, epoch=secrets.token_hex(8)))
