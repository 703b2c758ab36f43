"""Column types that both engines share."""

from __future__ import annotations

from sqlalchemy import BigInteger, DateTime, Integer

# SQLite gives row ids of its own only to INTEGER keys.
BigId = BigInteger().with_variant(Integer, "sqlite")

Moment = DateTime(timezone=True)
