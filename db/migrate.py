"""Open a database: make it, or bring it to this version's tables, or say clearly why not.

Every command begins here, so Alembic (0.2 s) is imported only where something is to be migrated.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from db.errors import DatabaseError
from db.session import engine_for, shown_url, told_clearly

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_MIGRATIONS = Path(__file__).parent / "migrations"
# One migration at a time on Postgres, whatever the number of workers that start together.
POSTGRES_LOCK = 720_114_303


def open_database(url: str) -> Engine:
    """Return the engine of a database whose tables are of this version.

    Raises:
        DatabaseError: it cannot be reached, belongs to something else, or to a newer Taffrail.
    """
    engine = engine_for(url)
    if engine.url.get_backend_name() == "sqlite" and engine.url.database not in (None, "", ":memory:"):
        _refuse_network_file_system(Path(engine.url.database))
        _make_private(Path(engine.url.database))
    with told_clearly(engine):
        migrate(engine)
    return engine


def migrate(engine: Engine, *, revision: str = "head") -> None:
    """Bring the tables to a revision; nothing happens where they are there already.

    Raises:
        DatabaseError: the database is newer, or holds tables of something else.
    """
    found = _revision_of(engine)
    if revision == "head" and found == newest_revision():
        return
    if found is not None and found not in {script.revision for script in script_directory().walk_revisions()}:
        raise DatabaseError(f"{shown_url(engine)}: made by a newer Taffrail (revision {found}); upgrade Taffrail")
    with _migrating(engine) as connection:
        _migrate_alone(connection, revision)


@contextlib.contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """A transaction in which SQLite's tables can be made anew while rows refer to them; the references hold at its end.

    Raises:
        DatabaseError: they do not; then nothing was changed.
    """
    with engine.execution_options(taffrail_migrating=True).connect() as connection:
        try:
            with connection.begin():
                broken_before = _broken_references(connection)
                yield connection
                if _broken_references(connection) > broken_before:
                    raise DatabaseError(f"{shown_url(engine)}: the upgrade would break references; nothing was changed")
        finally:
            if connection.dialect.name == "sqlite":
                # Past SQLAlchemy, which would begin a transaction, and within one the switch is ignored.
                connection.connection.cursor().execute("PRAGMA foreign_keys = ON")


def _broken_references(connection: Connection) -> int:
    """Return how many rows refer to nothing; Postgres sees to it by itself, table by table."""
    if connection.dialect.name != "sqlite":
        return 0
    return len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())


def newest_revision() -> str:
    """Return the newest migration that this version knows; their files' names begin with their revision."""
    return max(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def script_directory() -> ScriptDirectory:
    """The migrations that this version knows."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _revision_of(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _migrate_alone(connection: Connection, revision: str) -> None:
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
    tables = set(inspect(connection).get_table_names())
    if tables and "alembic_version" not in tables:
        raise DatabaseError(f"{connection.engine.url!r}: holds tables of something else; name an empty database")
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _make_private(path: Path) -> None:
    """Make the file that is not there yet, for this user only; SQLite gives its journal the same mode."""
    with contextlib.suppress(OSError):  # whatever is wrong, the connection tells it better
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _refuse_network_file_system(path: Path) -> None:
    """SQLite's locks do not hold on network file systems; a database there gets corrupt.

    Raises:
        DatabaseError: the file lies on one.
    """
    kind = _file_system(path.parent)
    if kind in {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs"}:
        raise DatabaseError(f"{path}: SQLite does not work on the network file system {kind}; use Postgres")


def _file_system(folder: Path) -> str | None:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return None
    best: tuple[int, str | None] = (0, None)
    target = str(folder.resolve())
    for line in mounts.read_text(errors="replace").splitlines():
        parts = line.split()
        point = parts[1].replace("\\040", " ")
        if (target == point or target.startswith(point.rstrip("/") + "/")) and len(point) >= best[0]:
            best = (len(point), parts[2])
    return best[1]
