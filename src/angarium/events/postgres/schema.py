"""The tables in PostgreSQL: those of a day in a schema of their own, as SQLite has a file for each day.

So a day is dropped as a whole and at once, without a lock that others wait for, as they would for partitions of one
table, and no question has a plan made for hundreds of them. `series` has one row: the number of the event that was
stored last. Whoever writes locks it first, so that numbers become visible in their order, and none later than one
above it.

Words of mail are a `tsvector` of the recipient, made of words that are cut already (`vectors`).
"""

from collections.abc import Iterable

FORMAT = 1
SCHEMA = "angarium_events"
_DAY = f"{SCHEMA}_"
_LOCK = 0x616E6761_6576  # advisory: any number that is always the same

_BASE = f"""
SELECT pg_advisory_xact_lock({_LOCK});
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.series (
  id integer PRIMARY KEY CHECK (id = 1), last bigint NOT NULL, format integer NOT NULL) WITH (fillfactor = 20);
INSERT INTO {SCHEMA}.series VALUES (1, 0, {FORMAT}) ON CONFLICT DO NOTHING;
"""

_TABLES = """
CREATE SCHEMA {day};
CREATE TABLE {day}.word (no integer PRIMARY KEY, text {text}, folded {text});
CREATE INDEX ON {day}.word USING hash (text);
CREATE INDEX ON {day}.word USING hash (folded);
CREATE TABLE {day}.message (
  no bigint PRIMARY KEY, id bytea NOT NULL UNIQUE, at double precision NOT NULL,
  account bigint NOT NULL DEFAULT 0, server bigint NOT NULL DEFAULT 0,
  stream integer NOT NULL DEFAULT 1, campaign integer NOT NULL DEFAULT 1, listener integer NOT NULL DEFAULT 1,
  sender {text} DEFAULT '', author {text} DEFAULT '', subject {text} DEFAULT '', message_id {text} DEFAULT '',
  size bigint NOT NULL DEFAULT 0, traits smallint NOT NULL DEFAULT 0, came bigint NOT NULL DEFAULT 0,
  metadata bytea, meta jsonb);
CREATE INDEX ON {day}.message USING hash (lower(message_id)) WHERE message_id <> '';
CREATE TABLE {day}.tag (word integer NOT NULL, message bigint NOT NULL, PRIMARY KEY (word, message));
CREATE INDEX ON {day}.tag (message);
CREATE TABLE {day}.recipient (
  no bigint PRIMARY KEY, address {text}, home integer NOT NULL, domain integer NOT NULL, binding integer NOT NULL,
  state smallint NOT NULL, seq bigint NOT NULL, at double precision NOT NULL, due double precision,
  attempts integer NOT NULL, reply {text}, reason integer NOT NULL, words tsvector NOT NULL);
CREATE INDEX ON {day}.recipient ((no >> 20));
CREATE INDEX ON {day}.recipient (state) WHERE state <> 1;
CREATE INDEX ON {day}.recipient USING gin (words);
CREATE TABLE {day}.event (
  no bigint PRIMARY KEY, recipient bigint NOT NULL, seq bigint NOT NULL, at double precision NOT NULL,
  kind smallint NOT NULL, server bigint NOT NULL, stream integer NOT NULL, reply {text}, reason integer NOT NULL,
  binding integer NOT NULL, provider integer NOT NULL, tries integer NOT NULL, machine boolean NOT NULL, detail bytea);
CREATE UNIQUE INDEX ON {day}.event (recipient, seq);
CREATE INDEX ON {day}.event (server, at, kind, stream);
INSERT INTO {day}.word VALUES (1, '', '');
"""


def base_statements() -> str:
    """Return what makes the table that is there once, where it is not there yet."""
    return _BASE


def day_statements(day: str) -> str:
    """Return what makes the tables of a day."""
    return _TABLES.format(day=schema_of(day), text='text COLLATE "C" NOT NULL')


def schema_of(day: str) -> str:
    """Return the schema that the tables of a day (`2026-11-30`) are in."""
    return _DAY + day.replace("-", "_")


def days_in(schemas: Iterable[str]) -> list[str]:
    """Return the days of those of the *schemas* that are of days."""
    return [name.removeprefix(_DAY).replace("_", "-") for name in schemas if name.startswith(_DAY)]
