"""Alembic's entry: runs migrations on the connection that `sql.history` gives, in its transaction.

They go forward only; the way back is the copy of the database from before.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,  # SQLite alters a table by making a new one
)
with context.begin_transaction():
    context.run_migrations()
