"""A HOME with drawn images whose labels and corrections a test sets, and steps that run in the test's process."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from db.domain.cards import plain_card
from db.domain.files import FoundFile
from db.domain.labels import ImageLabel
from db.domain.model_versions import ModelCard
from db.domain.outcomes import SeenImage
from db.progress import StageProgress
from db.session import reading, transaction
from db.settings import Settings, get_settings
from db.store.datasets import get_dataset
from db.store.labels import NewLabel, add_labels
from db.store.model_versions import register_model
from db.tables.jobs import BatchRow
from tests.answers import store_answers
from tests.drawn_fish import LABELS
from worker.images.enqueue import enqueue_folder
from worker.inference.detector import NOOP_KIND
from worker.inference.tasks import InferWorker
from worker.steps.answer_held_out import evaluated_entries
from worker.steps.requests import (
    ANSWER_HELD_OUT,
    FIT_CANDIDATE,
    AnswerRequest,
    AnswerResult,
    FitRequest,
    FitResult,
    Step,
)
from worker.storage.model_files import save_model
from worker.training.data.samples import TrainingSample


class LearningSite:
    """One HOME; `settings` are those that steps in this process see, too."""

    def __init__(self, engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch, **chosen: str) -> None:
        self.engine = engine
        monkeypatch.setenv("TAFFRAIL_HOME", str(home))
        monkeypatch.setenv("TAFFRAIL_DATABASE_URL", engine.url.render_as_string(hide_password=False))
        monkeypatch.setenv("TAFFRAIL_SPECIES", ",".join(LABELS.names))
        for name, value in chosen.items():
            monkeypatch.setenv(f"TAFFRAIL_{name.upper()}", value)
        get_settings.cache_clear()
        self.settings: Settings = get_settings()
        home.mkdir(parents=True, exist_ok=True)

    def label(self, samples: Sequence[TrainingSample], labels: Sequence[ImageLabel] | None = None) -> None:
        """Hold what a label file says of images: their own labels where no others are given."""
        said = labels or [sample.label for sample in samples]
        news = [
            NewLabel(
                FoundFile(os.path.dirname(sample.file), os.path.basename(sample.file), 1, 1),
                SeenImage(sample.sha256, sample.width_px, sample.height_px, sample.captured_at),
                label,
                "drawn",
            )
            for sample, label in zip(samples, said, strict=True)
        ]
        root = os.path.commonpath([os.path.dirname(os.path.dirname(sample.file)) for sample in samples])
        with transaction(self.engine) as session:
            add_labels(session, news, root=root, source="test")

    def register(self, model_id: str, **card: Any) -> None:
        """Register a model version that needs no network; the first one is champion."""
        plain = ModelCard(NOOP_KIND, "", "", (64, 96), LABELS.names, (), **card)
        sha256 = save_model(self.settings.models_dir, model_id, _NoNetwork(), plain)
        with transaction(self.engine) as session:
            register_model(session, model_id, sha256=sha256, card=plain_card(plain), note="")

    def infer(self, folder: Path) -> None:
        """Ask the champion about every image of a folder."""
        enqueue_folder(self.engine, self.settings, os.fsencode(folder))
        worker = InferWorker("tester", self.settings)
        with reading(self.engine) as session:
            batches = list(session.scalars(select(BatchRow.id).order_by(BatchRow.id)))
        for batch_id in batches:
            worker.infer_batch(batch_id)

    def correct(self, labels: Mapping[str, ImageLabel], *, reviewer: str = "ana") -> None:
        """Store what a person said of images, by content hash, in an export of its own."""
        store_answers(self.engine, labels, reviewer=reviewer)


class FakeSteps:
    """Steps without a network: the candidate is a file, and both models answer as the test says.

    answers: by model (`champion`, `candidate`), the probability that is given to the true species.
    """

    def __init__(self, settings: Settings, engine: Engine, *, champion: float = 0.4, candidate: float = 0.8) -> None:
        self.settings, self.engine = settings, engine
        self.sure = {"champion": champion, "candidate": candidate}
        self.calls: list[str] = []

    def __call__(self, step: Step[Any, Any], request: Any, *, progress: StageProgress) -> Any:
        self.calls.append(step.module)
        return {FIT_CANDIDATE.module: self._fit, ANSWER_HELD_OUT.module: self._evaluate}[step.module](request)

    def _fit(self, request: FitRequest) -> FitResult:
        with reading(self.engine) as session:
            dataset = get_dataset(session, request.dataset)
        card = ModelCard(
            NOOP_KIND, "", "", (90, 160), LABELS.names, (), dataset_sha256=dataset.sha256, parent=request.parent
        )
        return FitResult(sha256=save_model(request.into, request.model, _NoNetwork(), card))

    def _evaluate(self, request: AnswerRequest) -> AnswerResult:
        with reading(self.engine) as session:
            entries = evaluated_entries(get_dataset(session, request.dataset).entries, at_most=request.at_most)
        serves = request.models_dir == self.settings.models_dir
        sure = self.sure["champion" if serves else "candidate"]
        answers = np.full((len(entries), len(LABELS)), (1.0 - sure) / (len(LABELS) - 1))
        for row, entry in enumerate(entries):
            answers[row, LABELS.index(entry.label.species)] = sure
        with request.answers.open("wb") as file:
            sha256s = np.array([entry.place.sha256 for entry in entries])
            np.savez(file, species=np.array(LABELS.names), sha256s=sha256s, probabilities=answers)
        return AnswerResult(images=len(entries), unreadable=0)


class _NoNetwork:
    """A model's file that no network is in."""

    def save(self, file: Path) -> None:
        file.write_bytes(b"no network")
