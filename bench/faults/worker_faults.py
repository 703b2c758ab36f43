"""What happens to workers: killed, frozen, dead at the worst moments, asked to stop."""

from __future__ import annotations

import time

from bench.faults.catalogue import Expected, fault
from bench.faults.ledger import read_ledger
from bench.faults.processes import WorkerProcess
from bench.faults.servers import wait_until
from bench.faults.site import LEASE_S, Site
from tests.factories import write_pictures

_KILLS = 30
_GRACE_S = 35.0


@fault("worker killed 30 times", settings={"TAFFRAIL_LEASE_S": "1.5"})
def worker_killed_again_and_again(site: Site) -> None:
    site.enqueue()
    for _ in range(_KILLS):
        worker = site.start_worker()
        site.wait_for_claim()
        worker.kill()
    site.start_worker()


@fault("child killed 10 times")
def child_killed(site: Site) -> None:
    worker = site.start_worker()
    site.enqueue()
    for _ in range(10):
        site.wait_for_claim()
        worker.kill_child()


@fault("frozen beyond its lease, then writes late", settings={"TAFFRAIL_BATCH_ITEMS": "1"})
def zombie(site: Site) -> Expected:
    """Between the zombie's reading and its writing the picture is changed, and another worker judges the new one."""
    zombie = site.start_worker()
    site.enqueue()
    site.wait_for_items(4)
    name = _freeze_between_writes(site, zombie)
    changed = next(file for file in site.images.rglob("*") if file.name.encode() == name)
    write_pictures(site.folder / "other", 1, seed=99)[0].replace(changed)
    site.start_worker()
    wait_until(site.all_finished, timeout_s=LEASE_S + 60, what="another worker does the zombie's work")
    ledger = read_ledger(site.engine, root=site.images, home=site.home)
    zombie.thaw()
    time.sleep(3.0)  # nothing shall happen, and nothing tells when it has not
    path = str(changed.relative_to(site.images))
    return {path: ledger[path]}


def _freeze_between_writes(site: Site, worker: WorkerProcess) -> bytes:
    """Return the picture a worker was frozen with; SQLite's one lock is kept by a frozen process, so not with that."""
    while True:
        names = site.wait_for_claim()
        worker.freeze()
        if names == site.held() and site.can_be_written():
            return names[0]
        worker.thaw()


@fault("death after commit, before the message's end")
def death_after_commit(site: Site) -> None:
    site.fail_at += f",committed=kill:{site.tokens(5)}"
    site.start_worker()
    site.enqueue()


@fault("death between crop files and commit")
def death_before_commit(site: Site) -> None:
    site.fail_at += f",inferred=kill:{site.tokens(5)}"
    site.start_worker()
    site.enqueue()


@fault("SIGTERM in the middle of a batch", quick=True)
def asked_to_stop(site: Site) -> None:
    worker = site.start_worker()
    site.enqueue()
    site.wait_for_items(8)
    site.wait_for_claim()
    code = worker.ask_to_stop(within_s=_GRACE_S)
    if code != 0:
        raise RuntimeError(f"`cli worker` ended with {code} after SIGTERM")
    if site.held():
        raise RuntimeError("`cli worker` ended and kept a batch claimed")
    site.start_worker()
