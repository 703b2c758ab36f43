"""How many images a second N workers store on Postgres and Redis when they look at none, and what limits it.

The processor time of all parts (workers, Postgres, Redis) is added up as well, because on a machine that others use the
images a second say little: two cores divided by that time is what two cores of one's own carry.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import redis
from sqlalchemy import Engine, func, select, text

from bench.speed.site import REDIS_URL, register_unseen_files, show_table, thrown_away
from db.domain.jobs import ItemState
from db.session import reading
from db.tables.jobs import ItemRow
from worker.delivery.app import QueueName
from worker.delivery.reconcile import reconcile
from worker.delivery.supervise import Supervisor

_IMAGES = 19_200
_WARM_UP_IMAGES = 1_280
_WORKERS = (1, 2, 4, 8)
_WANTED = 3_000.0
_CORES = 2
_COMMAND = (sys.executable, "-m", "bench.speed.blind")


def main() -> int:
    """Print the rate against the number of workers; return 1 where two cores carry less than is wanted."""
    rows = [_measured(count) for count in _WORKERS]
    head = ["workers", "images/s", "CPU ms an image: workers", "Postgres", "Redis", f"{_CORES} cores carry"]
    show_table(f"Orchestration on Postgres and Redis; wanted {_WANTED:,.0f} images/s", head, rows)
    return int(max(float(row[-1]) for row in rows) < _WANTED)


def _measured(workers: int) -> list[float]:
    with thrown_away("postgres", TAFFRAIL_BROKER_URL=REDIS_URL) as (settings, engine):
        register_unseen_files(engine, settings, _IMAGES)
        os.environ.update(
            TAFFRAIL_HOME=str(settings.home),
            TAFFRAIL_DATABASE_URL=settings.database,
            TAFFRAIL_BROKER_URL=REDIS_URL,
        )
        with redis.Redis.from_url(REDIS_URL) as broker:
            broker.delete(QueueName.INFER.value)
            with Supervisor(engine, settings, {QueueName.INFER: workers}, command=_COMMAND) as supervisor:
                reconcile(engine, settings)
                _wait_for(engine, supervisor, _WARM_UP_IMAGES)
                done, started, before = _done(engine), time.perf_counter(), _cpu_s(supervisor, engine, broker)
                _wait_for(engine, supervisor, _IMAGES)
                elapsed_s, after = time.perf_counter() - started, _cpu_s(supervisor, engine, broker)
    each_ms = [1000 * (new - old) / (_IMAGES - done) for new, old in zip(after, before, strict=True)]
    return [workers, (_IMAGES - done) / elapsed_s, *each_ms, 1000 * _CORES / sum(each_ms)]


def _wait_for(engine: Engine, supervisor: Supervisor, images: int) -> None:
    while _done(engine) < images:
        if supervisor.look():
            raise RuntimeError(f"a worker died; see {supervisor.log_file}")
        time.sleep(0.05)


def _done(engine: Engine) -> int:
    with reading(engine) as session:
        return session.scalar(select(func.count()).where(ItemRow.state == ItemState.DONE)) or 0


def _cpu_s(supervisor: Supervisor, engine: Engine, broker: redis.Redis) -> tuple[float, float, float]:
    """Processor seconds so far of the workers, of their Postgres backends, and of Redis."""
    with reading(engine) as session:
        backends = session.scalars(
            text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        ).all()
    info = broker.info("cpu")
    return (
        sum(_process_cpu_s(pid) for pid in supervisor.process_ids()),
        sum(_process_cpu_s(pid) for pid in backends),
        float(info["used_cpu_user"]) + float(info["used_cpu_sys"]),
    )


def _process_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
