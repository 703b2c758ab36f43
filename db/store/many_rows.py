"""Writes and asks for many rows with one statement: as one JSON document on Postgres, by `executemany` on SQLite.

A row of its own message each costs Postgres's driver and server several times what the row itself does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    LargeBinary,
    Table,
    TableValuedAlias,
    any_,
    bindparam,
    column,
    func,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from db.tables.base import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Row = Mapping[str, object]


def one_of(session: Session, asked: InstrumentedAttribute[Any], values: Collection[object]) -> ColumnElement[bool]:
    """Return the condition that a column has one of many values; its text is the same whatever their number."""
    if not _takes_documents(session):
        return asked.in_(values)
    from sqlalchemy.dialects import postgresql

    return asked == any_(literal(list(values), postgresql.ARRAY(asked.type, dimensions=1)))


def insert_rows(session: Session, statement: postgresql.Insert, rows: Sequence[Row]) -> None:
    """Run an INSERT (of `upsert`, with what shall happen on conflict) for many rows, all with the same columns."""
    if not rows:
        return
    if not _takes_documents(session):
        session.connection().execute(statement, list(rows))
        return
    names = list(rows[0])
    table = cast(Table, statement.table)
    listed = _listed(table, names)
    by_document = statement.from_select(names, select(*(listed.c[name] for name in names)))
    session.connection().execute(by_document, {"_rows": _document(table, rows)})


def update_rows(
    session: Session, row: type[Base], rows: Sequence[Row], *, only: Sequence[ColumnElement[bool]] = ()
) -> None:
    """Set columns of many rows by their ids. rows: `id` and the columns to set. only: further conditions on a row."""
    if not rows:
        return
    table = cast(Table, row.__table__)
    names = list(rows[0])
    if _takes_documents(session):
        listed = _listed(table, names)
        chosen = update(table).where(table.c.id == listed.c.id, *only)
        changed = chosen.values({name: listed.c[name] for name in names if name != "id"})
        session.connection().execute(changed, {"_rows": _document(table, rows)})
        return
    chosen = update(table).where(table.c.id == bindparam("_id"), *only)
    changed = chosen.values({name: bindparam(f"_{name}") for name in names if name != "id"})
    session.connection().execute(changed, [{f"_{name}": value for name, value in one.items()} for one in rows])


def _takes_documents(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _listed(table: Table, names: Sequence[str]) -> TableValuedAlias:
    typed: list[Column[Any]] = [column(name, table.c[name].type) for name in names]  # type: ignore[misc]
    rows = type_coerce(bindparam("_rows"), JSON(none_as_null=True))
    return func.json_to_recordset(rows).table_valued(*typed).render_derived(with_types=True)


def _document(table: Table, rows: Sequence[Row]) -> list[Row]:
    odd = [name for name in rows[0] if isinstance(table.c[name].type, LargeBinary | DateTime)]
    return [{**row, **{name: _plain(row[name]) for name in odd}} for row in rows] if odd else list(rows)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return "\\x" + value.hex()  # as Postgres writes bytea
    return value.isoformat() if isinstance(value, datetime) else value
