"""Open a database: make it, or bring it to this version's tables, or say clearly why not."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from db.errors import DatabaseError
from db.session import engine_for, shown_url, told_clearly

# One migration at a time on Postgres, whatever the number of workers that start together.
POSTGRES_LOCK = 720_114_303


def open_database(url: str) -> Engine:
    """Return the engine of a database whose tables are of this version.

    Raises:
        DatabaseError: it cannot be reached, belongs to something else, or to a newer Taffrail.
    """
    engine = engine_for(url)
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        _refuse_network_file_system(Path(engine.url.database))
    with told_clearly(engine):
        migrate(engine)
    return engine


def migrate(engine: Engine, *, revision: str = "head") -> None:
    """Bring the tables to a revision; nothing happens where they are there already.

    Raises:
        DatabaseError: the database is newer, or holds tables of something else.
    """
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if revision == "head" and found == script_directory().get_current_head():
        return
    if found is not None and found not in {script.revision for script in script_directory().walk_revisions()}:
        raise DatabaseError(f"{shown_url(engine)}: made by a newer Taffrail (revision {found}); upgrade Taffrail")
    with engine.begin() as connection:
        _migrate_alone(connection, revision)


def script_directory() -> ScriptDirectory:
    """The migrations that this version knows."""
    return ScriptDirectory.from_config(_config())


def _migrate_alone(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
    tables = set(inspect(connection).get_table_names())
    if tables and "alembic_version" not in tables:
        raise DatabaseError(f"{connection.engine.url!r}: holds tables of something else; name an empty database")
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


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
