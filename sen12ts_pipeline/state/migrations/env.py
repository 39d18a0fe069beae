"""Alembic's entry: run the revisions on the connection that `upgrade` hands over."""

from __future__ import annotations

from alembic import context

from sen12ts_pipeline.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
