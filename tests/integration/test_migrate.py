"""Databases are made, kept and refused as they should be, on SQLite and on Postgres."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

import db.tables.every  # noqa: F401
from db.errors import DatabaseError
from db.migrate import newest_revision, open_database, script_directory
from db.session import engine_for
from db.tables.base import Base


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []


def test_the_newest_revision_is_the_one_that_its_file_is_named_after() -> None:
    assert newest_revision() == script_directory().get_current_head()


def test_opening_twice_keeps_the_rows(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO cameras (name) VALUES ('boat 7')"))

    again = open_database(engine.url.render_as_string(hide_password=False))

    with again.connect() as connection:
        assert connection.execute(text("SELECT name FROM cameras")).scalars().all() == ["boat 7"]


def test_a_database_of_a_newer_version_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(DatabaseError, match="newer Taffrail"):
        open_database(engine.url.render_as_string(hide_password=False))


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with engine_for(url).begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))

    with pytest.raises(DatabaseError, match="something else"):
        open_database(url)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "sqlite:////no/such/folder/x.db"])
def test_a_database_that_cannot_be_used_gets_one_clear_line(url: str) -> None:
    with pytest.raises(DatabaseError) as raised:
        open_database(url)

    assert "\n" not in str(raised.value)
