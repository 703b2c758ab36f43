"""Alembic's entry: migrations run on the connection that `db.migrate` or the tests hand over."""

from __future__ import annotations

from alembic import context

import db.tables.every  # noqa: F401
from db.tables.base import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
