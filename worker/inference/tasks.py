"""What a message does: claim the batch and send it on its way; what came of it is stored. In worker processes only."""

from __future__ import annotations

from functools import partial

from celery import Celery

from db.domain.jobs import Claim
from db.session import engine_for, reading
from db.settings import Settings
from db.store.model_versions import champion_id
from db.tables.models import ModelVersionRow
from worker.delivery.app import INFER_TASK
from worker.delivery.fail_points import fail_point
from worker.delivery.worker_events import EventWriter
from worker.inference.camera_sizes import CameraSizes
from worker.inference.heartbeat import heartbeat
from worker.inference.held_batches import HeldBatches
from worker.inference.load_networks import LoadInference, NoModel, load_detector
from worker.inference.pace import decode_threads
from worker.inference.pipeline import BatchPipeline
from worker.inference.site_folders import check_folder
from worker.storage.model_files import BundleHashes


class InferWorker:
    """One worker process's state: the model it has loaded, the batches in work."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        events: EventWriter | None = None,
        load: LoadInference = load_detector,
    ) -> None:
        self._settings = settings
        self._events = events or EventWriter(None)
        self._load = load
        self._engine = engine_for(settings.database)
        self._pipeline: BatchPipeline | None = None
        self._held = HeldBatches(self._engine, name, settings, self._events)
        self._sizes = CameraSizes(
            self._engine, persistently=self._held.persistently, check=self._held.check_not_stopped
        )

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
            with heartbeat(self._say_alive, every_s=self._held.renew_every_s):
                self._say_alive()
                check_folder(held.root)
                pipeline = self._pipeline_for(held.model_version)
        except Exception as error:  # no image was looked at yet, so none is to blame
            self._held.give_back(held, error)
            self._progress()
            return
        try:
            held = self._sizes.with_sizes(held, pipeline.inference)
        except Exception as error:
            self._held.failed(held, error)
            self._progress()
            return
        pipeline.put(held, known=partial(self._held.known, pipeline.inference.model_version))
        if held.attempts > 1:
            pipeline.drain()

    def drain(self) -> None:
        """Wait until everything in work is stored or given back."""
        if self._pipeline is not None:
            self._pipeline.drain()

    def stop(self) -> None:
        """Give up at the next network call what is in work, and wait for no database any more."""
        self._held.stop()
        if self._pipeline is not None:
            self._pipeline.stop()

    def close(self) -> None:
        """Drain, and end the threads."""
        if self._pipeline is not None:
            self._pipeline.close()

    def _claim(self, batch_id: int) -> Claim | None:
        busy = self._pipeline is not None and self._pipeline.in_work > 0
        held = self._held.claim(batch_id, untried_only=busy)
        if held is None and busy and self._pipeline is not None:
            # It may be one that was given up before: such a batch is in work by itself.
            self._pipeline.drain()
            held = self._held.claim(batch_id, untried_only=False)
        return held

    def _pipeline_for(self, asked: str | None) -> BatchPipeline:
        """Return the model asked for, or the champion of this moment: workers change between batches, never within."""
        with reading(self._engine) as session:
            model_version = asked or champion_id(session)
            row = session.get(ModelVersionRow, model_version) if model_version else None
        if row is None:
            raise NoModel(f"model {model_version}: not in the registry" if asked else "there is no champion to serve")
        if self._pipeline is None or self._pipeline.inference.model_version != row.id:
            self.close()
            self._pipeline = None
            fail_point("loading")
            self._events.loading(True)
            inference = self._load(self._settings, row.id, BundleHashes(row.sha256, row.crops_sha256))
            self._events.loading(False)
            self._pipeline = BatchPipeline(
                inference,
                on_done=partial(self._held.store, model_version=inference.model_version),
                on_failed=self._held.failed,
                on_progress=self._progress,
                decode_threads=decode_threads(self._settings, inference.model_version),
            )
        return self._pipeline

    def _progress(self) -> None:
        self._events.in_work(self._pipeline.in_work if self._pipeline is not None else 0)
        self._held.renew_when_due()

    def _say_alive(self) -> None:
        self._events.in_work(1)
        self._held.renew()
