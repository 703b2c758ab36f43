"""What a site does to healthy images: failing calls, limits, disks that go, services that only read, slow loads."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from bench.faults.catalogue import Expected, fault
from bench.faults.ledger import read_ledger
from bench.faults.power import preloaded
from bench.faults.processes import CLI
from bench.faults.servers import NotHere, wait_until
from bench.faults.site import Site
from tests.factories import write_images

_FAILING_S = 4.0
_READ_ONLY_S = 5.0
_SLOW_LOAD_S = 6.0
_GONE_S = 4.0
_FEW_FILES = 8  # a worker has more open by itself
_MEMORY_BYTES = 3 * 2**29
_READING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
_WRITING = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@fault("calls fail: open of an image")
def open_fails(site: Site) -> None:
    _calls_fail(site, "open", str(site.images), _READING)


@fault("calls fail: read of an image")
def read_fails(site: Site) -> None:
    _calls_fail(site, "read", str(site.images), _READING)


@fault("calls fail: write of a crop")
def write_fails(site: Site) -> None:
    _calls_fail(site, "write", str(site.home / "crops"), _WRITING)


@fault("calls fail: fsync of a crop")
def fsync_fails(site: Site) -> None:
    _calls_fail(site, "fsync", str(site.home / "crops"), _WRITING)


@fault("calls fail: rename of a crop")
def rename_fails(site: Site) -> None:
    _calls_fail(site, "rename", str(site.home / "crops"), _WRITING)


@fault("a limit of memory")
def memory_limit(site: Site) -> None:
    site.start_worker(prefix=(_program("prlimit"), f"--as={_MEMORY_BYTES}"))
    site.enqueue()


@fault("a limit of open files for 4 s")
def open_files_limit(site: Site) -> None:
    """No worker may open more than it has open already; each must have told so."""
    site.reach_middle()
    children = site.workers[0].children()
    for pid in children:
        subprocess.run([_program("prlimit"), f"--pid={pid}", f"--nofile={_FEW_FILES}:4096"], check=True)
    site.check_unfinished()
    time.sleep(_FAILING_S)
    for pid in children:
        subprocess.run([_program("prlimit"), f"--pid={pid}", "--nofile=4096:4096"], check=True)
    if "Too many open files" not in (site.home / "worker.log").read_text(errors="replace"):
        raise RuntimeError("no worker met its limit: it proves nothing")


@fault("a camera's own disk goes and comes back")
def disk_goes(site: Site) -> None:
    camera = site.images / "cam_1"
    disk = site.folder / "disk"
    shutil.move(camera, disk)
    camera.mkdir()
    with _mounted(disk, camera) as mount:
        site.enqueue()
        subprocess.run(["umount", str(camera)], check=True)
        site.start_worker()
        wait_until(lambda: site.finished() >= 12, timeout_s=60, what="the other camera's images are done")
        time.sleep(_GONE_S)
        site.check_unfinished()
        mount()
        wait_until(site.all_finished, timeout_s=60, what="the disk's images are done")


@fault("Postgres only reads for 5 s", databases=("postgres",))
def postgres_read_only(site: Site) -> None:
    site.reach_middle()
    site.check_unfinished()
    with site.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for value in ("on", "off"):
            connection.execute(text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
            connection.execute(text("SELECT pg_reload_conf()"))
            if value == "on":
                time.sleep(_READ_ONLY_S)
                connection.execute(text("SET default_transaction_read_only = off"))


@fault("SQLite torn in the middle, then restored from a backup", databases=("sqlite",))
def sqlite_torn(site: Site) -> None:
    """A torn file is told of and nothing is made of it; the backup's work goes on, what came after it is done again."""
    site.fail_at = "inferred=pause:1.5"
    site.start_work()
    site.wait_for_items(4)
    site.cli("backup", str(site.folder / "backup.tar"))
    site.check_unfinished()
    site.workers[0].kill()
    file, restored = site.home / "taffrail.db", site.folder / "restored"
    with file.open("r+b") as database:  # its first page stays, as on a disk that lost what it had not yet written
        database.seek(4096)
        database.write(bytes(file.stat().st_size - 4096))
    said = site.cli("status", check=False)
    if said.returncode != 2 or "malformed" not in said.stderr:
        raise RuntimeError(f"a torn database was not told of: {said.returncode} {said.stderr}")
    environment = {**site.environment(), "TAFFRAIL_HOME": str(restored)}
    subprocess.run([*CLI, "restore", str(site.folder / "backup.tar")], env=environment, check=True, capture_output=True)
    site.engine.dispose()
    for left in site.home.glob("taffrail.db*"):
        left.unlink()
    (restored / "taffrail.db").rename(file)
    site.start_worker()


@fault("Redis demoted to a replica for 5 s")
def redis_demoted(site: Site) -> None:
    site.reach_middle()
    assert site.redis is not None
    site.redis.client.replicaof("127.0.0.1", "1")
    site.check_unfinished()
    time.sleep(_READ_ONLY_S)
    site.redis.client.replicaof("NO", "ONE")


@fault("a model loads for three leases", settings={"TAFFRAIL_LEASE_S": "2"})
def slow_load(site: Site) -> None:
    site.fail_at = f"loading=pause:{_SLOW_LOAD_S}"
    site.start_worker()
    site.start_worker()
    site.enqueue()


@fault("leases of 2 s beside leases of 600 s")
def lease_skew(site: Site) -> None:
    """What a machine's own leases are is no matter to the other's: nobody's claim is taken for a dead one's."""
    site.fail_at = "inferred=pause:0.6"
    site.start_worker(environment={"TAFFRAIL_LEASE_S": "600"})
    site.start_worker(environment={"TAFFRAIL_LEASE_S": "2"})
    site.enqueue()
    wait_until(site.all_finished, timeout_s=60, what="both work")
    if (claims := _most_claims(site)) > 1:
        raise RuntimeError(f"an item was claimed {claims} times, although no worker died")


@fault(
    "large and broken duplicates, one changes",
    leaves_orphans=True,
    settings={"TAFFRAIL_BATCH_ITEMS": "16", "TAFFRAIL_LEASE_S": "30"},
)
def large_duplicates(site: Site) -> Expected:
    """More than is kept in memory, so they are read twice; each of the broken ones must have the same reason."""
    one, other = write_images(site.folder / "large", 2, seed=5)
    large, broken = one.read_bytes() + bytes(9 * 2**20), one.read_bytes()[:300] + bytes(9 * 2**20)
    folder = site.images / "cam_1"
    for number in range(4):
        (folder / f"large-{number}.jpg").write_bytes(large)
        (folder / f"broken-{number}.jpg").write_bytes(broken)
    site.fail_at = "decoding/large-0.jpg=pause:2"
    site.enqueue()
    site.start_worker()
    site.wait_for_claim()
    time.sleep(1.0)
    (folder / "large-0.jpg").write_bytes(other.read_bytes() + bytes(9 * 2**20))
    wait_until(site.all_finished, timeout_s=150, what="the duplicates are done")
    ledger = read_ledger(site.engine, root=site.images, home=site.home)
    alike = {f"cam_1/large-{number}.jpg": ledger["cam_1/large-3.jpg"] for number in range(1, 4)}
    reasons = {f"cam_1/broken-{number}.jpg": ledger["cam_1/broken-0.jpg"] for number in range(4)}
    return {**alike, **reasons, "cam_1/large-0.jpg": ledger["cam_1/large-0.jpg"]}


@fault("a hostile working directory", redis=None)
def hostile_folder(site: Site) -> None:
    trap = f"open({str(site.folder / 'ran')!r}, 'a').write(__name__)\n"
    for name in ("worker", "db", "cli", "PIL", "numpy", "keras", "sitecustomize", "celeryconfig"):
        (site.images / f"{name}.py").write_text(trap)
    command = "import sys; sys.argv[0] = 'cli'; from cli.main import run; run()"
    done = subprocess.run(
        [*_PYTHON, command, "enqueue", "."],
        cwd=site.images,
        env=site.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if (site.folder / "ran").exists() or done.returncode not in (0, 1):
        said = f"a stranger's module ran, or the command ended with {done.returncode}: {done.stderr[-300:]}"
        raise RuntimeError(said)


@fault("seeded: several faults at drawn moments", settings={"TAFFRAIL_BATCH_ITEMS": "2"})
def seeded_faults(site: Site) -> None:
    chance = random.Random(int(os.environ.get("TAFFRAIL_FAULT_SEED", "13")))
    worker = site.start_work(processes=2)
    assert site.redis is not None
    for _ in range(4):
        site.wait_for_items(min(40, site.finished() + chance.randrange(1, 8)))
        match chance.choice(("child", "all", "flush")):
            case "child":
                worker.kill_child()
            case "all":
                worker.kill()
                worker = site.start_worker(processes=2)
            case "flush":
                site.redis.client.flushall()


_PYTHON = (sys.executable, "-P", "-c")


def _calls_fail(site: Site, call: str, path: str, errnos: Sequence[int]) -> None:
    """Let one kind of call fail for a while, in a worker in the middle of its work; some must have failed."""
    library = preloaded("failing_calls.c", site.folder)
    until, log = site.folder / "failing", site.folder / "failed"
    until.touch()
    site.start_work(
        environment={
            "LD_PRELOAD": str(library),
            "FAILING_CALL": call,
            "FAILING_PATH": path,
            "FAILING_ERRNOS": ",".join(map(str, errnos)),
            "FAILING_WHILE": str(until),
            "FAILING_LOG": str(log),
        }
    )
    wait_until(lambda: log.exists(), timeout_s=60, what=f"a call of {call} fails")
    time.sleep(_FAILING_S)
    site.check_unfinished()
    until.unlink()


@contextmanager
def _mounted(disk: Path, place: Path) -> Iterator[Callable[[], None]]:
    if os.getuid() != 0:
        raise NotHere("needs root: mounts a folder")

    def mount() -> None:
        if subprocess.run(["mount", "--bind", str(disk), str(place)], capture_output=True, check=False).returncode:
            raise NotHere("a folder cannot be mounted here")

    mount()
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)


def _most_claims(site: Site) -> int:
    with site.engine.connect() as connection:
        most = "SELECT max(n) FROM (SELECT count(*) AS n FROM bench_claims GROUP BY item_id) AS claims"
        return int(connection.execute(text(most)).scalar_one())


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotHere(f"{name} is not installed")
    return found
