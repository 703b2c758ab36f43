"""What both engines need said alike: inserts that meet a row, and the moment that leases are measured by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from db.tables.base import Base

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


def database_now_s(session: Session) -> float:
    """Return the moment, seconds since 1970, by the database server's clock: the workers' clocks need not agree.

    SQLite has no server: all its workers are on this machine.
    """
    if session.get_bind().dialect.name == "postgresql":
        return float(session.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
    return time.time()
