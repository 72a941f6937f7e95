"""Run by Alembic for every command; `database.upgrade` hands it an open connection with a transaction begun."""

from alembic import context

from trunkline.store.tables import metadata

# SQLite can undo schema changes as long as nobody commits in between; Alembic believes it can't.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
