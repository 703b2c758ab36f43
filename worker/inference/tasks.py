"""What a message does: claim the batch and send it on its way; what came of it is stored. In worker processes only."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from celery import Celery

from db.domain.jobs import Claim
from db.domain.model_versions import ModelCard
from db.domain.outcomes import ItemOutcome
from db.domain.places import is_url
from db.errors import DatabaseError, TaffrailError
from db.one_line import first_line
from db.session import engine_for, reading, transaction
from db.settings import Settings
from db.store.batches import claim, give_back, mark_dead, renew
from db.store.model_versions import champion_id
from db.store.neighbours import finished_job_of
from db.store.predictions import finish, known_contents
from db.store.sql import database_now_s
from db.tables.models import ModelVersionRow
from worker.delivery.app import INFER_TASK
from worker.delivery.fail_points import fail_point
from worker.delivery.worker_events import EventWriter
from worker.images.errors import SiteFault, UnreadableReason
from worker.inference.camera_sizes import CameraSizes
from worker.inference.detector import AnyDetector, make_detector
from worker.inference.fixed_batch import NetworkFailed
from worker.inference.heartbeat import heartbeat
from worker.inference.infer import DetectorInference, Inference
from worker.inference.pipeline import Asked, BatchPipeline, Stopped
from worker.inference.runtimes.choices import served_by
from worker.inference.runtimes.compile import BY_KERAS, ServedBy
from worker.inference.runtimes.network import RuntimeMissing
from worker.inference.second_stage import CropClassifier, load_crop_classifier
from worker.inference.settle_neighbours import settle_job
from worker.models.errors import ModelFileError
from worker.storage.artifacts import bring_model, sync_artifacts
from worker.storage.model_files import BundleHashes, check_model_file, read_card

_log = logging.getLogger("taffrail.worker")
_ASK_DATABASE_AGAIN_S = 1.0
_RENEWALS_A_LEASE = 4
LoadInference = Callable[[Settings, str, BundleHashes], Inference]
T = TypeVar("T")


class NoModel(TaffrailError):
    """There is no model to serve."""


class FolderUnseen(SiteFault):
    """The job's folder, or the disk of a camera in it, is not there on this machine."""


# The site's fault, not an image's: the batch is given back, and somebody is told.
_SITE_FAULTS = (DatabaseError, NoModel, SiteFault, ModelFileError, NetworkFailed, OSError, MemoryError)


def load_detector(settings: Settings, model_version: str, hashes: BundleHashes) -> Inference:
    """Return a model version ready to infer; its files must be the registered ones.

    Raises:
        ModelFileError: the file is missing, altered or no model. StoreUnreachable: it lies in a store that is away.
    """
    bring_model(settings, model_version)
    path = check_model_file(settings.models_dir, model_version, hashes.sha256, hashes.crops_sha256)
    card = read_card(settings.models_dir, model_version)
    detector, crop_classifier = _networks(card, path, settings, served_by(settings, model_version, hashes.sha256))
    return DetectorInference(detector, model_version=model_version, settings=settings, crop_classifier=crop_classifier)


def _networks(
    card: ModelCard, path: Path, settings: Settings, served: ServedBy
) -> tuple[AnyDetector, CropClassifier | None]:
    """Return both stages, warmed up; by Keras, and with a line in the log, where the runtime is not to be had."""
    try:
        detector = make_detector(card, path, batch_size=settings.network_batch, served=served)
        detector.warm_up()
        return detector, load_crop_classifier(card.second_stage, path, served=served)
    except RuntimeMissing as error:
        _log.warning("%s; going on with keras", error)
        return _networks(card, path, settings, BY_KERAS)


class InferWorker:
    """One worker process's state: its name, the model it has loaded, the batches in work."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        events: EventWriter | None = None,
        load: LoadInference = load_detector,
    ) -> None:
        self._name = name
        self._settings = settings
        self._events = events or EventWriter(None)
        self._load = load
        self._engine = engine_for(settings.database)
        self._pipeline: BatchPipeline | None = None
        self._stopping = threading.Event()
        self._renewed_s = time.monotonic()
        self._sizes = CameraSizes(self._engine, persistently=self._persistently)

    def register(self, app: Celery) -> None:
        """Let the app's messages come here."""
        app.task(name=INFER_TASK, ignore_result=True)(self.take_batch)

    def infer_batch(self, batch_id: int) -> None:
        """Do everything about one batch, or leave it as it was found; never raises for what an image holds."""
        self.take_batch(batch_id)
        self.drain()

    def take_batch(self, batch_id: int) -> None:
        """Claim a batch and start it; returns while it is still in work, so that the next message may come."""
        held = self._claim(batch_id)
        if held is None:
            return
        fail_point("claimed")
        try:
            with heartbeat(self._say_alive, every_s=self._settings.lease_s / _RENEWALS_A_LEASE):
                self._say_alive()
                check_folder(held.root)
                pipeline = self._pipeline_for(held.model_version)
        except Exception as error:  # no image was looked at yet, so none is to blame
            self._give_back(held, error)
            self._progress()
            return
        try:
            held = self._sizes.with_sizes(held, pipeline.inference)
        except Exception as error:
            self._failed(held, error)
            self._progress()
            return
        pipeline.put(held, known=partial(self._known, pipeline.inference))
        if held.attempts > 1:
            pipeline.drain()

    def drain(self) -> None:
        """Wait until everything in work is stored or given back."""
        if self._pipeline is not None:
            self._pipeline.drain()

    def stop(self) -> None:
        """Give up at the next network call what is in work, and wait for no database any more."""
        self._stopping.set()
        if self._pipeline is not None:
            self._pipeline.stop()

    def close(self) -> None:
        """Drain, and end the threads."""
        if self._pipeline is not None:
            self._pipeline.close()

    def _claim(self, batch_id: int) -> Claim | None:
        busy = self._pipeline is not None and self._pipeline.in_work > 0
        held = self._persistently(lambda: self._claim_once(batch_id, untried_only=busy))
        if held is None and busy and self._pipeline is not None:
            # It may be one that was given up before: such a batch is in work by itself.
            self._pipeline.drain()
            held = self._persistently(lambda: self._claim_once(batch_id, untried_only=False))
        return held

    def _claim_once(self, batch_id: int, *, untried_only: bool) -> Claim | None:
        with transaction(self._engine) as session:
            return claim(
                session,
                batch_id,
                worker=self._name,
                now_s=database_now_s(session),
                lease_s=self._settings.lease_s,
                untried_only=untried_only,
            )

    def _pipeline_for(self, asked: str | None) -> BatchPipeline:
        """Return the model asked for, or the champion of this moment: workers change between batches, never within."""
        with reading(self._engine) as session:
            model_version = asked or champion_id(session)
            row = session.get(ModelVersionRow, model_version) if model_version else None
        if row is None:
            raise NoModel(f"model {model_version}: not in the registry" if asked else "there is no champion to serve")
        if self._pipeline is None or self._pipeline.inference.model_version != row.id:
            if self._pipeline is not None:
                self._pipeline.close()
                self._pipeline = None
            fail_point("loading")
            self._events.loading(True)
            inference = self._load(self._settings, row.id, BundleHashes(row.sha256, row.crops_sha256))
            self._events.loading(False)
            self._pipeline = BatchPipeline(
                inference,
                on_done=lambda held, outcomes: self._store(held, outcomes, inference),
                on_failed=self._failed,
                on_progress=self._progress,
            )
        return self._pipeline

    def _known(self, inference: Inference, asked: Sequence[Asked]) -> set[Asked]:
        def ask() -> set[Asked]:
            with reading(self._engine) as session:
                return known_contents(session, asked, model_version=inference.model_version)

        return self._persistently(ask)

    def _store(self, held: Claim, outcomes: list[ItemOutcome], inference: Inference) -> None:
        fail_point("inferred")
        missing = {outcome.item_id for outcome in outcomes if outcome.reason == UnreadableReason.MISSING}
        if missing:
            check_folder(held.root)  # it may have gone while we read
            check_disks(held.root, [item.path for item in held.items if item.item_id in missing])
        predictions = [outcome.prediction for outcome in outcomes if outcome.prediction]
        sync_artifacts(self._settings, [name for one in predictions for name in one.crop_files if name])
        ours = self._persistently(lambda: self._store_once(held, outcomes, inference))
        fail_point("committed")
        if not ours:
            _log.warning("batch %d was no longer ours: nothing was written", held.batch_id)
        self._persistently(lambda: self._settle(held))

    def _settle(self, held: Claim) -> None:
        """After a job's last batch, let each camera's images answer together."""
        with reading(self._engine) as session:
            job_id = finished_job_of(session, held.batch_id)
        if job_id is not None:
            settle_job(self._engine, job_id)

    def _store_once(self, held: Claim, outcomes: list[ItemOutcome], inference: Inference) -> bool:
        with transaction(self._engine) as session:
            return finish(session, held, outcomes, model_version=inference.model_version)

    def _failed(self, held: Claim, error: Exception) -> None:
        if isinstance(error, Stopped):
            self._write(lambda session: give_back(session, held))
        elif isinstance(error, _SITE_FAULTS):
            self._give_back(held, error)
        else:  # whatever one image does, its neighbours must not suffer
            _log.error("batch %d failed", held.batch_id, exc_info=error)
            reason = f"it failed with {type(error).__name__}: {first_line(error)}"
            self._write(lambda session: mark_dead(session, held, reason=reason))

    def _give_back(self, held: Claim, error: Exception) -> None:
        known = isinstance(error, TaffrailError | OSError)
        _log.error("batch %d is given back", held.batch_id, exc_info=None if known else error)
        self._tell(f"batch {held.batch_id} is given back: {first_line(error)}")
        self._write(lambda session: give_back(session, held))

    def _write(self, change: Callable[..., object]) -> None:
        def write() -> None:
            with transaction(self._engine) as session:
                change(session)

        try:
            self._persistently(write)
        except DatabaseError as error:  # the lease ends what cannot be told now
            self._tell(str(error))

    def _persistently(self, ask: Callable[[], T]) -> T:
        """Return the database's answer, however long it is away; only a stop ends the waiting."""
        while True:
            try:
                return ask()
            except DatabaseError as error:
                self._tell(f"{error}; asking again")
                if self._stopping.wait(_ASK_DATABASE_AGAIN_S):
                    raise

    def _progress(self) -> None:
        self._events.in_work(self._pipeline.in_work if self._pipeline is not None else 0)
        now_s = time.monotonic()
        if now_s - self._renewed_s < self._settings.lease_s / _RENEWALS_A_LEASE:
            return
        self._renewed_s = now_s
        self._renew()

    def _say_alive(self) -> None:
        self._events.in_work(1)
        self._renew()

    def _renew(self) -> None:
        try:
            with transaction(self._engine) as session:
                renew(session, self._name, now_s=database_now_s(session), lease_s=self._settings.lease_s)
        except DatabaseError as error:
            self._tell(f"{error}; the lease is not renewed")

    def _tell(self, text: str) -> None:
        _log.error("%s", text)
        self._events.trouble(text)


def check_folder(root: bytes) -> None:
    """Refuse a folder that this machine does not have: each of its images would be stored as missing.

    Raises:
        FolderUnseen: it is not there, or nothing is in it, as in the place of a disk that is not mounted.
    """
    if is_url(root):
        return
    try:
        with os.scandir(root) as entries:
            if any(True for _ in entries):
                return
        found = "is empty"
    except OSError as error:
        found = error.strerror or type(error).__name__
    raise FolderUnseen(f"{root.decode('utf-8', 'backslashreplace')}: {found} on this machine; is its disk mounted?")


def check_disks(root: bytes, missing: Sequence[bytes]) -> None:
    """Refuse the place of a disk that is not mounted below a job's folder: its images are not gone.

    missing: paths of images that were not found. A folder that was removed with its images is no such place.
    Raises:
        FolderUnseen: the folder that would hold one, or the first one above it that is there, is empty; or one is
            found now, so its disk was away while it was read.
    """
    for path in missing:
        if not is_url(path) and os.path.exists(path):
            raise FolderUnseen(f"{path.decode('utf-8', 'backslashreplace')}: was not there, and is there again")
    for folder in sorted({os.path.dirname(path) for path in missing if not is_url(path)}):
        while not os.path.isdir(folder) and folder.startswith(root.rstrip(b"/") + b"/"):
            folder = os.path.dirname(folder)
        check_folder(folder)
