"""What happens around the workers: the database, the network, the disk, the clock, a second scheduler."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from bench.faults.catalogue import fault
from bench.faults.disk import fill, relieve
from bench.faults.servers import NotHere, wait_until
from bench.faults.site import Site
from db.session import reading
from db.store.retrainings import list_retrainings

_LOCKED_S = 5.0
_CUT_S = 20.0
_DOWN_S = 3.0
_FULL_S = 4.0
_CLOCK_S = 5.0
_FAKETIME = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path("/usr/lib/faketime/libfaketimeMT.so.1"),
)


@fault("Postgres killed and restarted", databases=("postgres",))
def postgres_killed(site: Site) -> None:
    site.reach_middle()
    site.check_unfinished()
    assert site.postgres is not None
    site.postgres.kill()
    time.sleep(_DOWN_S)
    site.postgres.start()


@fault("SQLite locked for 5 s", databases=("sqlite",))
def sqlite_locked(site: Site) -> None:
    site.reach_middle()
    site.check_unfinished()
    with sqlite3.connect(site.home / "taffrail.db", isolation_level=None, timeout=30) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(_LOCKED_S)
        connection.execute("ROLLBACK")
    connection.close()


@fault("network cut for 20 s")
def network_cut(site: Site) -> None:
    """The worker sits behind a cable of its own; Redis and (where it is one) Postgres are on the other side."""
    site.reach_middle(host=site.network.host, prefix=site.network.enter)
    site.network.cut()
    try:
        site.check_unfinished()
        time.sleep(_CUT_S)
    finally:
        site.network.repair()


@fault("disk full", small_disk_mib=8)
def disk_full(site: Site) -> None:
    site.reach_middle()
    fill(site.home)
    site.check_unfinished()
    time.sleep(_FULL_S)
    relieve(site.home)


@fault("a clock moved two hours, ahead, back, and behind")
def clock_moved(site: Site) -> None:
    """Two workers, one of them with a clock that is set again and again while it works; the other's is true."""
    clock = site.folder / "clock"
    clock.write_text("+0")
    site.fail_at = "inferred=pause:0.3"
    site.enqueue()
    site.start_worker(environment=_clock_environment(clock))
    site.start_worker()
    for offset in ("+7200", "+0", "-7200"):
        site.wait_for_claim()
        clock.write_text(offset)
        time.sleep(_CLOCK_S / 3)


@fault("two schedulers, the queue was flushed", settings={"TAFFRAIL_RETRAIN_AFTER": "1"}, made={"corrections": 1})
def two_schedulers(site: Site) -> None:
    """Both send the lost batches again, and both hand on the retraining that is due: to two machines at once."""
    site.enqueue()
    for queues in ("infer", "train", "train"):
        site.start_worker(queues=queues)
    site.wait_for_items(8)
    assert site.redis is not None
    site.check_messages_wait()
    site.redis.client.delete("infer")
    site.correct_one()
    for _ in range(2):
        site.start_scheduler()
    wait_until(lambda: _ended_retrainings(site), timeout_s=60, what="the retraining that is due is run")
    wait_until(site.all_finished, timeout_s=60, what="the schedulers send again what was lost")
    runs = _ended_retrainings(site)
    if len(runs) != 1:
        raise RuntimeError(f"one retraining was due, and {len(runs)} were run: {runs}")


def _ended_retrainings(site: Site) -> list[str]:
    with reading(site.engine) as session:
        return [f"{one.state} {one.note}" for one in list_retrainings(session) if one.finished_at]


def _clock_environment(clock: Path) -> dict[str, str]:
    library = next((path for path in _FAKETIME if path.exists()), None)
    if library is None:
        raise NotHere("needs libfaketime (Debian: faketime)")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        # What waits for a while must wait that while; a machine's monotonic clock is not set either.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
