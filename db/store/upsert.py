"""Inserts that say what happens when the row is already there, the same on SQLite and on Postgres."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.base import Base


def upsert(session: Session, row: type[Base]) -> postgresql.Insert:
    """Return an INSERT of this table with `on_conflict_do_...`; both engines spell and mean it alike."""
    table = cast(Table, row.__table__)
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return cast(postgresql.Insert, sqlite.insert(table))
