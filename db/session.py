"""Engines and transactions: short, explicit, and safe on SQLite and on Postgres."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

import db.tables.every  # noqa: F401  (a process may import one area's tables only, and write a row that refers to another's)
from db.errors import DatabaseError
from db.urls import POSTGRES_FORM, without_passwords

BUSY_TIMEOUT_S = 30.0
FORGOTTEN_AFTER_S = 600.0
# 3.7.0-3.51.2 have the WAL-reset race, but for these two (https://sqlite.org/wal.html#walresetbug).
WAL_SAFE_FROM = (3, 51, 3)
WAL_SAFE_ALSO = frozenset({(3, 44, 6), (3, 50, 7)})
# SQLSTATE classes: connection, resources, intervention (shutdown, failover), system, read-only and broken transactions.
_SITE_STATES = frozenset({"08", "25", "28", "53", "55", "57", "58", "XX"})
_NO_PRIVILEGE = "42501"
_DAMAGED = ("malformed", "not a database")
_DAMAGED_HINT = "; restore a backup into a new HOME (`cli restore`), or let SQLite try: sqlite3 FILE .recover"


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Return whether a SQLite version is free of the WAL-reset race.

    >>> wal_is_safe((3, 40, 1)), wal_is_safe((3, 50, 7)), wal_is_safe((3, 52, 0))
    (False, True, True)
    """
    return version >= WAL_SAFE_FROM or version in WAL_SAFE_ALSO


@lru_cache(maxsize=8)
def engine_for(url: str) -> Engine:
    """Return the engine of a database URL, one a process.

    Raises:
        DatabaseError: the URL is not one, or names an engine that is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise DatabaseError(
                f"DATABASE_URL: found the engine {parsed.get_backend_name()!r}, wanted sqlite or postgresql"
            )
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(url)
        return _postgres_engine(url)
    except (ArgumentError, NoSuchModuleError, ValueError):  # their texts may hold the password
        raise DatabaseError("DATABASE_URL: not a database URL; wanted postgresql://user:password@host/name") from None
    except ModuleNotFoundError as error:
        raise DatabaseError(f"DATABASE_URL: {error.name} is missing; pip install 'taffrail-fish[postgres]'") from None


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session whose work is committed as one, or not at all.

    Raises:
        DatabaseError: the database cannot be reached, is locked, is full or read-only.
    """
    with told_clearly(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that only reads.

    Raises:
        DatabaseError: the database cannot be reached or is locked.
    """
    with told_clearly(engine), Session(engine.execution_options(taffrail_reading=True)) as session:
        yield session


@contextmanager
def told_clearly(engine: Engine) -> Iterator[None]:
    """Turn what the database or the way to it is to blame for into one clear line; other errors go on as they are."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        if not _is_the_sites(error):
            raise
        cause = without_passwords(_first_line(getattr(error, "orig", None) or error))
        hint = _DAMAGED_HINT if any(sign in cause for sign in _DAMAGED) else ""
        raise DatabaseError(f"{shown_url(engine)}: {cause}{hint}") from error


def shown_url(engine: Engine) -> str:
    """The database's URL without its password and without its options, which may hold one."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _is_the_sites(error: BaseException) -> bool:
    """Whether the same statement may work when the site is well again: then workers wait instead of giving up.

    A refused row (DataError, IntegrityError) or statement (ProgrammingError) is refused again for ever.
    """
    if isinstance(error, PoolTimeout | sqlite3.Error):
        return True  # sqlite3's own class comes from preparing a connection, before any statement of ours
    if not isinstance(error, DBAPIError):
        return False
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if error.connection_invalidated or state[:2] in _SITE_STATES or state == _NO_PRIVILEGE:
        return True
    return not isinstance(error, DataError | IntegrityError | ProgrammingError)


def _postgres_engine(url: str) -> Engine:
    _check_options(url)
    engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _check_options(url: str) -> None:
    """Refuse what libpq does not know, such as Prisma's ?schema=; it would only tell when it connects.

    Raises:
        DatabaseError: an option is unknown.
    """
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    for name in make_url(url).query:
        if name not in known:
            raise DatabaseError(f"DATABASE_URL: ?{name[:30]}= is no option of Postgres; wanted {POSTGRES_FORM}")


def _prepare_postgres(connection: Any, _record: object) -> None:
    # A machine that is frozen within a transaction keeps its row locks until then, and others wait for them.
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{FORGOTTEN_AFTER_S:.0f}s'")
    connection.commit()


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "autocommit": sqlite3.LEGACY_TRANSACTION_CONTROL}
        if hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL")
        else {"timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin on its own: it would begin deferred, and upgrading such a lock fails at once.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    safe = wal_is_safe(sqlite3.sqlite_version_info)
    cursor.execute(f"PRAGMA journal_mode = {'WAL' if safe else 'DELETE'}")
    cursor.execute(f"PRAGMA synchronous = {'NORMAL' if safe else 'FULL'}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    options = connection.get_execution_options()
    if options.get("taffrail_migrating"):
        # SQLite alters a table by making it anew; with this on, dropping the old one drops what refers to it.
        # Within a transaction the switch is ignored, so it is turned before.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN" if options.get("taffrail_reading") else "BEGIN IMMEDIATE")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
