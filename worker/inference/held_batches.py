"""The batches that a worker holds, in the database: claimed, kept alive, stored, or given back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Engine

from db.domain.jobs import Claim
from db.domain.outcomes import ItemOutcome
from db.errors import DatabaseError, TaffrailError
from db.one_line import first_line
from db.session import reading, transaction
from db.settings import Settings
from db.store.batches import claim, give_back, mark_dead, renew
from db.store.neighbours import finished_job_of
from db.store.predictions import finish, known_contents
from db.store.sql import database_now_s
from worker.delivery.fail_points import fail_point
from worker.delivery.worker_events import EventWriter
from worker.images.errors import SiteFault, UnreadableReason
from worker.inference.batch_work import Asked
from worker.inference.fixed_batch import NetworkFailed
from worker.inference.load_networks import NoModel
from worker.inference.pipeline import Stopped
from worker.inference.settle_neighbours import settle_job
from worker.inference.site_folders import check_disks, check_folder
from worker.models.errors import ModelFileError
from worker.storage.artifacts import sync_artifacts

_log = logging.getLogger("taffrail.worker")
_ASK_DATABASE_AGAIN_S = 1.0
_RENEWALS_A_LEASE = 4
T = TypeVar("T")
# The site's fault, not an image's: the batch is given back, and somebody is told.
_SITE_FAULTS = (DatabaseError, NoModel, SiteFault, ModelFileError, NetworkFailed, OSError, MemoryError)


class HeldBatches:
    """One worker's claims. Safe to be called from many threads; it waits for a database that is away.

    engine: of the job's database. events: whoever started the worker is told of trouble there.
    """

    def __init__(self, engine: Engine, name: str, settings: Settings, events: EventWriter) -> None:
        self._engine = engine
        self._name = name
        self._settings = settings
        self._events = events
        self._stopping = threading.Event()
        self._renewed_s = time.monotonic()
        self.renew_every_s = settings.lease_s / _RENEWALS_A_LEASE

    def stop(self) -> None:
        """Wait for no database any more."""
        self._stopping.set()

    def check_not_stopped(self) -> None:
        """Do nothing, until the worker is to stop.

        Raises:
            Stopped: it is.
        """
        if self._stopping.is_set():
            raise Stopped("the worker was asked to stop")

    def persistently(self, ask: Callable[[], T]) -> T:
        """Return the database's answer, however long it is away; only a stop ends the waiting."""
        while True:
            try:
                return ask()
            except DatabaseError as error:
                self._tell(f"{error}; asking again")
                if self._stopping.wait(_ASK_DATABASE_AGAIN_S):
                    raise

    def claim(self, batch_id: int, *, untried_only: bool) -> Claim | None:
        """Return a batch that is this worker's from now on; None where it is another's, done, or was tried before."""

        def ask() -> Claim | None:
            with transaction(self._engine) as session:
                return claim(
                    session,
                    batch_id,
                    worker=self._name,
                    now_s=database_now_s(session),
                    lease_s=self._settings.lease_s,
                    untried_only=untried_only,
                )

        return self.persistently(ask)

    def known(self, model_version: str, asked: Sequence[Asked]) -> set[Asked]:
        """Return the contents that a model version has a stored prediction of."""

        def ask() -> set[Asked]:
            with reading(self._engine) as session:
                return known_contents(session, asked, model_version=model_version)

        return self.persistently(ask)

    def store(self, held: Claim, outcomes: list[ItemOutcome], model_version: str) -> None:
        """Store a batch's outcomes, if it is still ours.

        Raises:
            FolderUnseen: images are missing because a disk is. OSError: the crops cannot be brought to the disk.
        """
        fail_point("inferred")
        missing = {outcome.item_id for outcome in outcomes if outcome.reason == UnreadableReason.MISSING}
        if missing:
            check_folder(held.root)  # it may have gone while we read
            check_disks(held.root, [item.path for item in held.items if item.item_id in missing])
        predictions = [outcome.prediction for outcome in outcomes if outcome.prediction]
        sync_artifacts(self._settings, [name for one in predictions for name in one.crop_files if name])
        ours = self.persistently(lambda: self._store_once(held, outcomes, model_version))
        fail_point("committed")
        if not ours:
            _log.warning("batch %d was no longer ours: nothing was written", held.batch_id)
        self.persistently(lambda: self._settle(held))

    def failed(self, held: Claim, error: Exception) -> None:
        """Give a batch back where the site failed; else mark it dead, so that its images are tried one by one."""
        if isinstance(error, Stopped):
            self._write(lambda session: give_back(session, held))
        elif isinstance(error, _SITE_FAULTS):
            self.give_back(held, error)
        else:  # whatever one image does, its neighbours must not suffer
            _log.error("batch %d failed", held.batch_id, exc_info=error)
            reason = f"it failed with {type(error).__name__}: {first_line(error)}"
            self._write(lambda session: mark_dead(session, held, reason=reason))

    def give_back(self, held: Claim, error: Exception) -> None:
        """Let a batch be another's, and tell why."""
        known = isinstance(error, TaffrailError | OSError)
        _log.error("batch %d is given back", held.batch_id, exc_info=None if known else error)
        self._tell(f"batch {held.batch_id} is given back: {first_line(error)}")
        self._write(lambda session: give_back(session, held))

    def renew_when_due(self) -> None:
        """Renew the leases, unless they were renewed a moment ago."""
        now_s = time.monotonic()
        if now_s - self._renewed_s >= self.renew_every_s:
            self._renewed_s = now_s
            self.renew()

    def renew(self) -> None:
        """Renew the leases of all that this worker holds."""
        try:
            with transaction(self._engine) as session:
                renew(session, self._name, now_s=database_now_s(session), lease_s=self._settings.lease_s)
        except DatabaseError as error:
            self._tell(f"{error}; the lease is not renewed")

    def _store_once(self, held: Claim, outcomes: list[ItemOutcome], model_version: str) -> bool:
        with transaction(self._engine) as session:
            return finish(session, held, outcomes, model_version=model_version)

    def _settle(self, held: Claim) -> None:
        """After a job's last batch, let each camera's images answer together."""
        with reading(self._engine) as session:
            job_id = finished_job_of(session, held.batch_id)
        if job_id is not None:
            settle_job(self._engine, job_id)

    def _write(self, change: Callable[..., object]) -> None:
        def write() -> None:
            with transaction(self._engine) as session:
                change(session)

        try:
            self.persistently(write)
        except DatabaseError as error:  # the lease ends what cannot be told now
            self._tell(str(error))

    def _tell(self, text: str) -> None:
        _log.error("%s", text)
        self._events.trouble(text)
