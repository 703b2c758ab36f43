"""What happens to workers: killed, frozen, dead at the worst moments, asked to stop."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.faults.catalogue import Expected, fault
from bench.faults.ledger import count_claims, read_ledger
from bench.faults.processes import WorkerProcess
from bench.faults.servers import wait_until
from bench.faults.site import LEASE_S, Site
from tests.factories import write_images

_KILLS = 30
_HELD_FOR_A_WHILE = "inferred=pause:0.5"  # so that a kill finds its batch in work
_GRACE_S = 35.0


@fault("worker killed 30 times", settings={"TAFFRAIL_LEASE_S": "1.5"})
def worker_killed_again_and_again(site: Site) -> None:
    site.enqueue()
    quick, site.fail_at = site.fail_at, _HELD_FOR_A_WHILE
    for _ in range(_KILLS):
        claims = count_claims(site.engine)
        worker = site.start_worker()
        site.wait_for_another_claim(claims)
        worker.kill()
    site.fail_at = quick
    site.start_worker()


@fault("child killed 10 times")
def child_killed(site: Site) -> None:
    site.fail_at = _HELD_FOR_A_WHILE
    worker = site.start_work()
    claims = 0
    for _ in range(10):
        site.wait_for_another_claim(claims)
        claims = count_claims(site.engine)
        worker.kill_child()


@fault("frozen beyond its lease, then writes late", leaves_orphans=True, settings={"TAFFRAIL_BATCH_ITEMS": "1"})
def zombie(site: Site) -> Expected:
    """Between the zombie's reading and its writing the image is changed, and another worker evaluates the new one."""
    reached, plain = site.tokens(200), site.fail_at
    site.fail_at = f"inferred=tell:{reached},inferred=pause:0.5"
    zombie = site.start_work()
    site.wait_for_items(4)
    changed = _freeze_before_its_commit(site, zombie, reached)
    site.fail_at = plain
    write_images(site.folder / "other", 1, seed=99)[0].replace(changed)
    site.start_worker()
    wait_until(site.all_finished, timeout_s=LEASE_S + 60, what="another worker does the zombie's work")
    ledger = read_ledger(site.engine, root=site.images, home=site.home)
    zombie.thaw_children()
    time.sleep(3.0)  # nothing shall happen, and nothing tells when it has not
    zombie.thaw()
    path = str(changed.relative_to(site.images))
    return {path: ledger[path]}


def _freeze_before_its_commit(site: Site, worker: WorkerProcess, reached: Path) -> Path:
    """Return the image that a worker was frozen with, after its inference and before its commit.

    SQLite's one lock is kept by a frozen process, so not while it holds that; asking for files would wait for it, too.
    """
    while True:
        left = len(os.listdir(reached))
        wait_until(lambda left=left: len(os.listdir(reached)) < left, timeout_s=60, what="the next image is inferred")
        worker.freeze()
        if site.can_be_written() and (files := site.held()):
            return files[0]
        worker.thaw()


@fault("death after commit, before the message's end")
def death_after_commit(site: Site) -> None:
    site.fail_at += f",committed=kill:{site.tokens(5)}"
    site.start_work()


@fault("death between crop files and commit")
def death_before_commit(site: Site) -> None:
    site.fail_at += f",inferred=kill:{site.tokens(5)}"
    site.start_work()


@fault("SIGTERM in the middle of a batch", quick=True)
def asked_to_stop(site: Site) -> None:
    worker = site.reach_middle()
    site.wait_for_claim()
    code = worker.ask_to_stop(within_s=_GRACE_S)
    if code != 0:
        raise RuntimeError(f"`cli worker` ended with {code} after SIGTERM")
    if site.held():
        raise RuntimeError("`cli worker` ended and kept a batch claimed")
    site.start_worker()
