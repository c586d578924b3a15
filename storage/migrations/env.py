"""Alembic's entry: always on the connection, and in the transaction, that `migrate` hands over."""

from alembic import context

from storage import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    render_as_batch=True,  # SQLite cannot alter much in place
)
context.run_migrations()
