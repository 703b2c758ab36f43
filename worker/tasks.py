"""What a message does: claim the batch, infer it, store it. Runs in worker processes only."""

from __future__ import annotations

import logging
import time

from celery import Celery

from db.domain.jobs import Claim
from db.errors import DatabaseError, TaffrailError
from db.session import engine_for, reading, transaction
from db.settings import Settings
from db.store.batches import bury, claim, give_back
from db.store.predictions import finish, known_contents
from db.store.review_queue import champion_id
from db.tables import ModelVersionRow
from worker.fail_points import fail_point
from worker.image_files import StoreUnreachable
from worker.infer import BatchInference, parameters_of
from worker.model_files import check_model_file, read_card
from worker.queue import INFER_TASK
from worker.serve import AnyDetector, make_detector

_log = logging.getLogger("taffrail.worker")
_GIVE_BACK_TRIES = 60


class NoModel(TaffrailError):
    """There is no model to serve."""


class InferWorker:
    """One worker process's state: its name, and the model it has loaded."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name = name
        self._settings = settings
        self._engine = engine_for(settings.database)
        self._loaded: tuple[str, AnyDetector, BatchInference] | None = None

    def register(self, app: Celery) -> None:
        """Let the app's messages come here."""
        app.task(name=INFER_TASK, ignore_result=True)(self.infer_batch)

    def infer_batch(self, batch_id: int) -> None:
        """Do everything about one batch, or leave it as it was found; never raises for what a picture holds."""
        with transaction(self._engine) as session:
            held = claim(session, batch_id, worker=self._name, now_s=time.time(), lease_s=self._settings.lease_s)
        if held is None:
            return
        fail_point("claimed")
        try:
            self._infer(held)
        except (DatabaseError, NoModel, StoreUnreachable) as error:
            _log.error("batch %d: %s; given back", batch_id, error)
            self._give_back(held)
        except Exception as error:  # whatever one picture does, its neighbours must not suffer
            _log.exception("batch %d failed", batch_id)
            with transaction(self._engine) as session:
                bury(session, held, reason=f"it failed with {type(error).__name__}: {error}")

    def _infer(self, held: Claim) -> None:
        model_version, detector, inference = self._model_for(held.model_version)
        parameters = parameters_of(detector)

        def known(sha256s: object) -> set[str]:
            with reading(self._engine) as session:
                return known_contents(
                    session,
                    list(sha256s),  # type: ignore[call-overload]
                    model_version=model_version,
                    parameters=parameters,
                )

        outcomes = inference.run(held, known=known)
        fail_point("inferred")
        with transaction(self._engine) as session:
            ours = finish(session, held, outcomes, model_version=model_version, parameters=parameters)
        fail_point("committed")
        if not ours:
            _log.warning("batch %d was no longer ours: nothing was written", held.batch_id)

    def _model_for(self, asked: str | None) -> tuple[str, AnyDetector, BatchInference]:
        """Return the model asked for, or the champion of this moment: workers change between batches, never within."""
        with reading(self._engine) as session:
            model_version = asked or champion_id(session)
            row = session.get(ModelVersionRow, model_version) if model_version else None
        if row is None:
            raise NoModel(f"model {model_version}: not in the registry" if asked else "there is no champion")
        if self._loaded is None or self._loaded[0] != row.id:
            if self._loaded is not None:
                self._loaded[2].close()
            detector = self._load(row)
            self._loaded = (row.id, detector, BatchInference(detector, model_version=row.id, settings=self._settings))
        return self._loaded

    def _load(self, row: ModelVersionRow) -> AnyDetector:
        models_dir = self._settings.models_dir
        path = check_model_file(models_dir, row.id, row.sha256)
        detector = make_detector(read_card(models_dir, row.id), path, batch_size=self._settings.network_batch)
        detector.warm_up()
        return detector

    def _give_back(self, held: Claim) -> None:
        for _ in range(_GIVE_BACK_TRIES):
            try:
                with transaction(self._engine) as session:
                    give_back(session, held)
                return
            except DatabaseError:
                time.sleep(1.0)  # nothing can tell us when a database is back; the lease ends this if we do not
