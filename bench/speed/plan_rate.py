"""How long plans and summaries of a job of a million images take, and how much memory: the commands, start included."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, text

from bench.speed.review_rate import fill_store
from bench.speed.site import show_table, thrown_away
from db.session import transaction
from db.settings import Settings

_IMAGES = 1_000_000
_DAYS = 28
_AT_MOST_S, _AT_MOST_MIB = 10.0, 500.0


def main() -> int:
    """Print seconds and memory; return 1 where a command took more than is wanted.

    The processor's seconds beside the clock's: on a machine that is busy with something else only they mean anything.
    """
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _IMAGES
    rows: list[list[object]] = []
    for engine_name in ("sqlite", "postgres"):
        with thrown_away(engine_name) as (settings, engine):
            fill_store(engine, settings.home.parent / "fleet", predictions=count, images=1)
            _add_job(engine, settings.home.parent / "fleet")
            for what, words in _COMMANDS.items():
                seconds, processor_s, mib = _run(settings, words)
                rows.append([engine_name, what, seconds, _AT_MOST_S, processor_s, mib, _AT_MOST_MIB])
    heads = ["database", "command", "s", "at most", "processor s", "MiB, at most so far", "at most"]
    show_table(f"A job of {count:,} images", heads, rows)
    return int(any(seconds > _AT_MOST_S or mib > _AT_MOST_MIB for _, _, seconds, _, _, mib, _ in rows))  # type: ignore[operator]


_COMMANDS: dict[str, tuple[str, ...]] = {
    "review plan --budget 300": ("review", "plan", "1", "--budget", "300", "--seed", "1"),
    "review plan --target BET:20%": ("review", "plan", "1", "--target", "BET:20%", "--seed", "1"),
    "review plan --target missed:5%": ("review", "plan", "1", "--target", "missed:5%", "--seed", "1"),
    "summary": ("summary", "1"),
    "summary --by camera,day": ("summary", "1", "--by", "camera,day"),
}


def _add_job(engine: Engine, fleet: Path) -> None:
    """Make one job of all files, every image of a day."""
    moment = f"'2026-01-' || substr('0' || (1 + images.id % {_DAYS}), -2) || 'T10:00:00'"
    if engine.dialect.name != "sqlite":
        moment = f"'2026-01-' || lpad((1 + images.id % {_DAYS})::text, 2, '0') || 'T10:00:00'"
    with transaction(engine) as session:
        session.execute(text(f"UPDATE images SET captured_at = {moment}"))
        session.execute(
            text(
                "INSERT INTO jobs (id, root, root_digest, model_asked, created_at) "
                "VALUES (1, :root, 'r', '', '2026-01-01 00:00:00')"
            ),
            {"root": os.fsencode(fleet)},
        )
        session.execute(
            text(
                "INSERT INTO items (job_id, file_id, state, size_bytes, mtime_ns, prediction_id) "
                "SELECT 1, id, 'done', 100000, mtime_ns, image_id FROM files"
            )
        )
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def _run(settings: Settings, words: tuple[str, ...]) -> tuple[float, float, float]:
    """Return the seconds that a command took, its processor's seconds, and the most MiB that any took so far."""
    environment = {**os.environ, "TAFFRAIL_HOME": str(settings.home), "TAFFRAIL_DATABASE_URL": settings.database}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "cli.main", *words], env=environment, check=True, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken, processor_s, after.ru_maxrss / 1024.0


if __name__ == "__main__":
    sys.exit(main())
