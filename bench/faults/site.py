"""One site of the bench: a HOME, a database, a broker, a folder of images, and the program run against them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select, text

from bench.faults.ledger import Entry, count_claims, count_claims_from_now
from bench.faults.network import Network
from bench.faults.processes import CLI, REPOSITORY, WorkerProcess
from bench.faults.servers import PostgresServer, RedisServer, crowding, wait_until
from db.domain.corrections import Correction, CorrectionOutcome
from db.domain.jobs import BatchState, ItemState
from db.domain.labels import ImageLabel
from db.migrate import open_database
from db.session import reading, transaction
from db.settings import Settings, make_home
from db.store.reviews import NewReviewItem, add_correction, get_export, record_export
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow
from tests.factories import add_noop_champion, write_images
from worker.delivery.app import QueueName

BATCH_ITEMS = 4
LEASE_S = 4.0
PACE_S = 0.4  # a pause a batch, so that a fault finds the work in the middle, also on a busy machine
_WAIT_S = 90.0
_IN_A_TRANSACTION = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
)
_TAFFRAIL = ("TAFFRAIL_", "DATABASE_URL", "BROKER_URL")


@dataclass
class Site:
    """Where one fault happens. redis: None is the embedded broker. fail_at: what workers started from now on do."""

    folder: Path
    database_url: str
    redis: RedisServer | None
    network: Network
    postgres: PostgresServer | None
    settings_of_ours: dict[str, str] = field(default_factory=dict)
    fail_at: str = f"inferred=pause:{PACE_S}"
    workers: list[WorkerProcess] = field(default_factory=list)
    _schedulers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home, self.images = self.folder / "home", self.folder / "images"

    def open(self, images: Path) -> None:
        """Make HOME, the database with a champion, and copy the images here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(images, self.images)
        make_home(self.home)
        self.engine: Engine = open_database(self.database_url)
        add_noop_champion(self.engine, Settings(home=self.home).models_dir)
        count_claims_from_now(self.engine)

    def environment(self, *, host: str = "127.0.0.1") -> dict[str, str]:
        """The environment of a command; host: where the servers are, as seen from the command's network."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_TAFFRAIL)}
        ours = {
            "PYTHONPATH": str(REPOSITORY),
            "TAFFRAIL_HOME": str(self.home),
            "TAFFRAIL_DATABASE_URL": self.database_url.replace("127.0.0.1", host),
            "TAFFRAIL_BATCH_ITEMS": str(BATCH_ITEMS),
            "TAFFRAIL_LEASE_S": str(LEASE_S),
            "TAFFRAIL_FAIL_AT": self.fail_at,
            **({"TAFFRAIL_BROKER_URL": self.redis.url(host)} if self.redis else {}),
        }
        return {**clean, **ours, **self.settings_of_ours}

    def cli(self, *words: str, check: bool = True, timeout_s: float = _WAIT_S) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        Raises:
            RuntimeError: it ended with 2, or showed a traceback. (1 is: finished, with failed images.)
        """
        done = subprocess.run(
            [*CLI, *words],
            env=self.environment(),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=timeout_s * crowding(),
            check=False,
        )
        if "Traceback" in done.stderr or (check and done.returncode not in (0, 1)):
            raise RuntimeError(f"cli {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        return done

    def start_cli(self, *words: str) -> subprocess.Popen[str]:
        """Start a command and do not wait for it."""
        command = [*CLI, *words]
        return subprocess.Popen(
            command, env=self.environment(), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def enqueue(self) -> None:
        """Queue the images; workers do the rest."""
        self.cli("enqueue", str(self.images), "--detach")

    def start_worker(
        self,
        *,
        queues: str = "infer",
        processes: int = 1,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> WorkerProcess:
        """Start a `cli worker`; it is ended with the site at the latest."""
        environment = {**self.environment(host=host), **(environment or {})}
        log = self.folder / "cli-worker.log"
        worker = WorkerProcess(environment, queues=queues, processes=processes, log=log, prefix=prefix)
        self.workers.append(worker)
        return worker

    def start_work(self, **options: Any) -> WorkerProcess:
        """Queue the images, then start a worker on them: a busy machine must not do the work while it still queues."""
        self.enqueue()
        return self.start_worker(**options)

    def reach_middle(self, **options: Any) -> WorkerProcess:
        """Start the work, and return its worker when two batches are done."""
        worker = self.start_work(**options)
        self.wait_for_items(2 * BATCH_ITEMS)
        return worker

    def start_scheduler(self) -> None:
        """Start a `cli scheduler`; it is ended with the site."""
        with (self.folder / "cli-scheduler.log").open("ab") as words:
            command = [*CLI, "scheduler"]
            self._schedulers.append(
                subprocess.Popen(command, env=self.environment(), cwd=REPOSITORY, stdout=words, stderr=words)
            )

    def correct_one(self) -> None:
        """Let a person say of one image that is done that it shows nothing."""
        with transaction(self.engine) as session:
            image = session.scalars(select(ImageRow).limit(1)).one()
            item = NewReviewItem(1, image.id, None, False, "", image.width_px, image.height_px, ())
            record_export(session, [item], export_id="e1", folder=b"/review", model_version=None, flag_below=None)
            now = datetime.now(UTC).isoformat()
            said = Correction(
                image.sha256, ImageLabel("NoF"), CorrectionOutcome.CONFIRMED_EMPTY, (), "bench", now, "e1", None
            )
            add_correction(session, get_export(session, "e1").items[1], said)

    def tokens(self, count: int) -> Path:
        """Return a folder that lets a fail point fire so many times, counted over all processes."""
        folder = self.folder / "tokens"
        folder.mkdir()
        for number in range(count):
            (folder / str(number)).touch()
        return folder

    def finished(self) -> int:
        """How many items need nothing more."""
        return self._count(ItemRow.state != ItemState.PENDING)

    def all_finished(self) -> bool:
        """Whether there are items and none waits."""
        return self.finished() > 0 and self._count(ItemRow.state == ItemState.PENDING) == 0

    def wait_for_items(self, count: int) -> None:
        """Wait until so many items are finished: the work is in its middle."""
        wait_until(lambda: self.finished() >= count, timeout_s=_WAIT_S, what=f"{count} items are finished")

    def check_unfinished(self) -> None:
        """Make sure that the fault struck while there was work.

        Raises:
            RuntimeError: there was none; the row would prove nothing.
        """
        if self.all_finished():
            raise RuntimeError("the work was over before the fault struck: it proves nothing")

    def check_messages_wait(self) -> None:
        """Make sure that a fault that takes messages has some to take.

        Raises:
            RuntimeError: it has none; the row would prove nothing.
        """
        if self.redis is None or not self.redis.client.llen(QueueName.INFER.value):
            raise RuntimeError("no message waited any more when the fault struck: it proves nothing")

    def wait_for_claim(self) -> list[Path]:
        """Wait until a worker holds a batch; return its files."""
        return wait_until(self.held, timeout_s=_WAIT_S, what="a worker holds a batch")

    def wait_for_another_claim(self, earlier: int) -> None:
        """Wait until a batch was claimed that was not when there were so many claims: a dead worker's do not count."""
        wait_until(lambda: count_claims(self.engine) > earlier, timeout_s=_WAIT_S, what="a batch is claimed anew")

    def end(self) -> None:
        """End every process and let go of the database."""
        for scheduler in self._schedulers:
            scheduler.terminate()
            scheduler.wait()
        for worker in self.workers:
            worker.end()
        if self.redis is not None:
            self.redis.kill()
        self.engine.dispose()

    def held(self) -> list[Path]:
        """The files that workers hold now, those of the batch that was made first first."""
        claimed = select(BatchRow.id).where(BatchRow.state == BatchState.CLAIMED)
        waiting = (ItemRow.batch_id.in_(claimed), ItemRow.state == ItemState.PENDING)
        files = (
            select(FolderRow.path, FileRow.name)
            .select_from(ItemRow)
            .join(FileRow, ItemRow.file_id == FileRow.id)
            .join(FolderRow, FolderRow.id == FileRow.folder_id)
            .order_by(ItemRow.batch_id, ItemRow.id)
        )
        with reading(self.engine) as session:
            return [Path(os.fsdecode(folder + b"/" + name)) for folder, name in session.execute(files.where(*waiting))]

    def can_be_written(self) -> bool:
        """Whether nobody is in the middle of a write: SQLite's one lock, a reader's included, or Postgres's of rows."""
        if self.engine.dialect.name != "sqlite":
            with reading(self.engine) as session:
                return not session.execute(text(_IN_A_TRANSACTION)).scalar_one()
        with contextlib.closing(
            sqlite3.connect(self.home / "taffrail.db", timeout=0.2, isolation_level=None)
        ) as database:
            try:
                database.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                return False
            database.execute("ROLLBACK")
            return True

    def _count(self, condition: ColumnElement[bool]) -> int:
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).select_from(ItemRow).where(condition)) or 0


def write_bench_images(folder: Path) -> None:
    """Write what every site gets: 48 images of two cameras, duplicates among them, and two files that are none."""
    first = write_images(folder / "cam_1", 24, seed=1)
    write_images(folder / "cam_2", 20, seed=2)
    for number in (5, 13):
        shutil.copy(first[number], folder / "cam_2" / f"duplicate-{number}.jpg")
    (folder / "cam_2" / "torn.jpg").write_bytes(first[0].read_bytes()[:200])
    (folder / "cam_2" / "empty.png").touch()


def quarantined() -> Entry:
    """The entry of an image that must end in quarantine."""
    return Entry(ItemState.QUARANTINED, "quarantined")


def failed(reason: str) -> Entry:
    """The entry of a file that must end as a failure for this reason."""
    return Entry(ItemState.FAILED, reason)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """Return what a command printed with --json."""
    return dict(json.loads(done.stdout))
