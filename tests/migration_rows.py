"""Rows for every table of any revision: what an upgrade has to carry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, Table, select, text, types

_OF_TYPE: tuple[tuple[type[types.TypeEngine[Any]], Any], ...] = (
    (types.JSON, lambda number: {"number": number}),
    (types.Boolean, lambda number: number % 2 == 0),
    (types.DateTime, lambda number: datetime(2026, 1, number, tzinfo=UTC)),
    (types.Integer, lambda number: number),
    (types.Float, lambda number: number / 4),
    (types.LargeBinary, lambda number: b"%d" % number),
)
ROWS = 2
_RENAMED = {"doubt_fits": "error_fits"}


def tables_of(connection: Connection) -> list[Table]:
    """Return the tables that a database has, those that others refer to first; not Alembic's own."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def fill_every_table(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return two rows for each table, after writing them; each refers to rows of its own number."""
    written: dict[str, list[dict[str, Any]]] = {}
    for table in tables_of(connection):
        rows = [
            {column.name: _value(column, number, written) for column in table.columns} for number in range(1, ROWS + 1)
        ]
        connection.execute(table.insert(), rows)
        written[table.name] = rows
        counted = "id" in table.columns and isinstance(table.columns["id"].type, types.Integer)
        if connection.dialect.name == "postgresql" and counted:
            # Ids that were given do not move the sequence on.
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {ROWS})"))
    return written


def rows_lost(engine: Engine, before: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return what is not as it was, by table: its number of rows, or a value of a column that is still there."""
    lost = {}
    with engine.connect() as connection:
        tables = {table.name: table for table in tables_of(connection)}
        for name, rows in before.items():
            table = tables[_RENAMED.get(name, name)]
            kept = [column for column in rows[0] if column in table.columns and column != "created_at"]
            found = [dict(row._mapping) for row in connection.execute(select(table))]
            wanted = [{column: row[column] for column in kept if isinstance(row[column], str | int)} for row in rows]
            for row in wanted:
                if not any(row.items() <= one.items() for one in found):
                    lost[name] = f"{row} is not among {found}"
            if len(found) != len(rows):
                lost[name] = f"{len(found)} rows, wanted {len(rows)}"
    return lost


def _value(column: Column[Any], number: int, written: dict[str, list[dict[str, Any]]]) -> Any:
    for reference in column.foreign_keys:
        parent, name = reference.column.table.name, reference.column.name
        return written[parent][number - 1][name] if parent in written else None
    for kind, make in _OF_TYPE:
        if isinstance(column.type, kind):
            return make(number)
    length = getattr(column.type, "length", None) or 40
    return f"{column.name} {number}"[-length:]
