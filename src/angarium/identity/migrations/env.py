"""Alembic's entry: runs migrations on the connection that `identity.engine` gives, in its transaction."""

from alembic import context

from angarium.identity.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by making a new one
)
with context.begin_transaction():
    context.run_migrations()
