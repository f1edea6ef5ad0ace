"""The event store that needs no server: a SQLite file a day."""
