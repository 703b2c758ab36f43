"""The moment that leases and messages are measured by."""

from __future__ import annotations

import time

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def database_now_s(session: Session) -> float:
    """Return the moment, seconds since 1970, by the database server's clock: the workers' clocks need not agree.

    SQLite has no server: all its workers are on this machine.
    """
    if session.get_bind().dialect.name == "postgresql":
        return float(session.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
    return time.time()
