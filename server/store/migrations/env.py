"""Alembic runs this for every command; the connection comes from `server.store.migrate`."""

from alembic import context

from server.store.migrate import VERSION_TABLE
from server.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
