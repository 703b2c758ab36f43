"""With real networks at tiny size: a candidate of shuffled labels is refused, one of right labels is promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.domain.model_versions import ModelState
from db.domain.retrainings import RetrainingState
from db.migrate import open_database
from db.progress import StageProgress, no_stage_progress
from db.session import reading
from db.store.model_versions import get_model
from tests.drawn_fish import draw_fish
from tests.learning_site import LearningSite
from worker.models.names import DetectorKind, Parts
from worker.retraining.retrain import RetrainOutcome, RetrainRequest, retrain
from worker.steps.answer_held_out import evaluate
from worker.steps.fit_candidate import fit_candidate
from worker.steps.requests import FIT_CANDIDATE, Step, TrainRequest, TrainResult
from worker.steps.train import train
from worker.training.data.samples import TrainingSample

KINDS = ("ALB", "LAG", "NoF")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    engine = open_database(f"sqlite:///{tmp_path / 'taffrail.db'}")
    return LearningSite(engine, tmp_path / "home", monkeypatch)


@pytest.fixture
def samples(tmp_path: Path) -> list[TrainingSample]:
    found = []
    for number in range(54):
        folder = tmp_path / "fleet" / f"boat_{number // 3 % 6}"
        folder.mkdir(parents=True, exist_ok=True)
        found.append(draw_fish(folder, number, KINDS[number % 3], folder.name))
    return found


def test_shuffled_labels_make_no_champion_and_right_ones_do(site: LearningSite, samples: list[TrainingSample]) -> None:
    site.label(samples)
    poor = _train(site, epochs=1)
    held_out = set(poor.held_out_cameras)
    learnt = [sample for sample in samples if sample.camera not in held_out]
    shuffled = [learnt[place].label for place in np.random.default_rng(0).permutation(len(learnt))]

    site.correct({sample.sha256: sample.label for sample in learnt})
    right = _retrain(site, epochs=8)
    site.correct({sample.sha256: label for sample, label in zip(learnt, shuffled, strict=True)})
    wrong = _retrain(site, epochs=8)

    assert len(held_out) >= 2 and right.kept is not None and wrong.kept is not None
    assert right.state is RetrainingState.PROMOTED, right.note
    assert right.kept.figures["accuracy"] > right.kept.champion_figures["accuracy"]
    assert wrong.state is RetrainingState.KEPT and wrong.note.startswith("not surely better"), wrong.note
    with reading(site.engine) as session:
        assert get_model(session, right.kept.model_id).state is ModelState.CHAMPION
        assert get_model(session, wrong.kept.model_id).note == wrong.note


def _train(site: LearningSite, *, epochs: int) -> TrainResult:
    # Seven of the trunk's sixteen blocks still tell red from blue, and are built and loaded in half the time.
    asked = {"kind": str(DetectorKind.LESSON), "input_hw": [64, 96], "layer": "block6_add", "epochs": epochs}
    asked |= {"held_out_share": 0.34, "second_stage": "none"}
    return train(TrainRequest.model_validate(asked), no_stage_progress)


def _retrain(site: LearningSite, *, epochs: int) -> RetrainOutcome:
    done = retrain(
        site.engine,
        site.settings,
        RetrainRequest(parts=Parts.HEADS, epochs=epochs),
        progress=lambda *_: None,
        steps=_in_this_process,
    )
    assert isinstance(done, RetrainOutcome)
    return done


def _in_this_process(step: Step[Any, Any], request: Any, *, progress: StageProgress) -> Any:
    return (fit_candidate if step is FIT_CANDIDATE else evaluate)(request, progress)
