"""What every script of this bench needs: a site that is thrown away, medians, a small table."""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine, create_engine, select, text

from db.domain.files import FoundFile
from db.domain.jobs import BatchState
from db.migrate import open_database
from db.session import reading, transaction
from db.settings import Settings, make_home
from db.store.jobs import make_batches, new_scan, open_job, register_files, register_items
from db.tables.jobs import BatchRow
from tests.factories import add_noop_champion

POSTGRES_URL = os.environ.get("TAFFRAIL_TEST_POSTGRES", "postgresql+psycopg://root@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TAFFRAIL_TEST_REDIS", "redis://127.0.0.1:6379/1")
_FILES_A_TRANSACTION = 5_000


@contextlib.contextmanager
def thrown_away(engine_name: str, **chosen: object) -> Iterator[tuple[Settings, Engine]]:
    """A HOME and a database, `sqlite` or `postgres`, with a champion that needs no network."""
    with tempfile.TemporaryDirectory(prefix="taffrail-bench-") as folder, _database(engine_name, folder) as url:
        settings = Settings(**{"TAFFRAIL_DATABASE_URL": url, "home": Path(folder) / "home", **chosen})  # type: ignore[arg-type]
        make_home(settings.home)
        engine = open_database(settings.database)
        add_noop_champion(engine, settings.models_dir)
        yield settings, engine
        engine.dispose()


def register_unseen_files(engine: Engine, settings: Settings, count: int) -> list[int]:
    """Return the batches of a job of so many files that are on no disk."""
    root, scan = os.fsencode(settings.home), new_scan()
    with transaction(engine) as session:
        job_id = open_job(session, root, model_asked=None)
    for start in range(0, count, _FILES_A_TRANSACTION):
        numbers = range(start, min(count, start + _FILES_A_TRANSACTION))
        files = [FoundFile(root, b"%07d.jpg" % number, 100_000, number) for number in numbers]
        with transaction(engine) as session:
            register_files(session, files, root=root, scan=scan)
    with transaction(engine) as session:
        register_items(session, job_id, scan=scan)
        make_batches(session, job_id, batch_items=settings.batch_items)
    with reading(engine) as session:
        waiting = select(BatchRow.id).where(BatchRow.state == BatchState.PENDING)
        return list(session.scalars(waiting.order_by(BatchRow.id)))


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a small table that can be pasted into docs/speed.md."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *cells]) for column in range(len(head))]
    print(f"\n{title}")
    for row in [list(head), ["-" * width for width in widths], *cells]:
        padded = [value.ljust(width) for value, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(padded)} |", flush=True)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@contextlib.contextmanager
def _database(engine_name: str, folder: str) -> Iterator[str]:
    if engine_name == "sqlite":
        yield f"sqlite:///{folder}/taffrail.db"
        return
    server = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    name = f"taffrail_bench_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()
