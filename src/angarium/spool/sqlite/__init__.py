"""The settled store in SQLite."""
