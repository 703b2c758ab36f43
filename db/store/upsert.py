"""Inserts that say what happens when the row is already there, the same on SQLite and on Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from db.base import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def upsert(session: Session, row: type[Base]) -> postgresql.Insert:
    """Return an INSERT of this table with `on_conflict_do_...`; both engines spell and mean it alike."""
    table = cast(Table, row.__table__)
    # Imported here: each engine's dialect takes a tenth of `cli status`'s time.
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return cast("postgresql.Insert", sqlite.insert(table))
