"""An upgrade carries every row of every table, from every revision, on both engines, also when it is killed inside."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

import db.migrations.versions
from db.migrate import migrate, open_database
from db.session import engine_for
from tests.migration_rows import fill_every_table, rows_lost

_FILES = sorted(Path(next(iter(db.migrations.versions.__path__))).glob("[0-9]*.py"))
REVISIONS = [file.name.partition("_")[0] for file in _FILES]
# Released revisions are never changed again: somebody's database was made by them. A new one is added with its release.
FROZEN = {
    "0001": "53cd09b1f83dbd84ee18db07e7077ad08b6885cb9dbd61d936e5ca2a5b21be00",
    "0002": "63e644f5ead175baf4e0cb26f4638dca19717e719147724de532febd9fb20448",
    "0003": "f8f9968406346bc90b8a69b79cd99dbc6cd9b94ba64077a16fbcf4a231bf78b7",
    "0004": "0e78b8b49ac486ede292e253b6c2d0423b2477de2b6f0400f389d838441cbb48",
    "0005": "1acb123f63a4bcc2e8fe523a828105d7a38981ab44d624fd8083c995a1510ca8",
    "0006": "6dcdea8eb2ed114f4e4c3a588bbf6a66f5243452b96142ada3bc79949158dfb3",
    "0007": "15fcb85a4b7cd47186b0a6756a856d656983e4f7562c37e69dfbc2ffb33117dd",
    "0008": "c9cc2980b62a337d5082a827a1460854b65b9c5c962568db9ee8049147b3d551",
}
_KILLS = 3


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_an_upgrade_carries_every_row(database_url: str, revision: str) -> None:
    before = _filled(database_url, revision)

    engine = open_database(database_url)

    assert rows_lost(engine, before) == {}
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO cameras (name) VALUES ('a boat of after the upgrade')"))
        assert connection.dialect.name != "sqlite" or connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_an_upgrade_that_is_killed_inside_is_made_again(database_url: str) -> None:
    before = _filled(database_url, "0002")
    changes = _changes_of_an_upgrade(database_url)
    for place in sorted(random.Random(7).sample(range(2, changes), _KILLS)):
        assert _killed_at(database_url, place), f"the upgrade was over before change {place}: it proves nothing"

    engine = open_database(database_url)

    assert rows_lost(engine, before) == {}
    engine.dispose()


def test_released_revisions_are_as_they_were() -> None:
    found = {file.name.partition("_")[0]: hashlib.sha256(file.read_bytes()).hexdigest() for file in _FILES}

    assert {revision: found[revision] for revision in FROZEN} == FROZEN


def _filled(url: str, revision: str) -> dict[str, list[dict[str, Any]]]:
    engine = engine_for(url)
    migrate(engine, revision=revision)
    with engine.begin() as connection:
        return fill_every_table(connection)


def _changes_of_an_upgrade(url: str) -> int:
    """Return how many statements of an upgrade change something; it is taken back at its end."""
    seen = []
    with contextlib.suppress(_TakenBack):
        _upgrade(url, lambda statement: seen.append(statement), at_end=_take_back)
    return len(seen)


def _killed_at(url: str, place: int) -> bool:
    """Upgrade in a process that is killed before its change number `place`; return whether it was."""
    child = os.fork()
    if child == 0:
        seen = []

        def die(statement: str) -> None:
            seen.append(statement)
            if len(seen) == place:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            _upgrade(url, die)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


class _TakenBack(Exception):
    """Ends an upgrade before its commit."""


def _take_back(_connection: object) -> None:
    raise _TakenBack


def _upgrade(url: str, on_change: Callable[[str], None], *, at_end: Callable[[object], None] | None = None) -> None:
    engine_for.cache_clear()  # the parent's connections are the parent's
    engine = engine_for(url)

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")):
            on_change(statement)

    event.listen(engine, "before_cursor_execute", hear)
    if at_end is not None:
        event.listen(engine, "commit", at_end)
    try:
        migrate(engine)
    finally:
        engine.dispose()
        engine_for.cache_clear()
