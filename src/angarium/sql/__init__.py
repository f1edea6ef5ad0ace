"""Databases that stores have their tables in: SQLite or PostgreSQL, migrations, changes that are seen and told of."""
