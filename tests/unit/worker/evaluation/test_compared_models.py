"""What is evaluated, without a network: baselines over every kind of split, and heads' boxes in the originals'
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from db.domain.labels import ImageLabel
from db.domain.species import LabelSet
from worker.evaluation.answers import Answers, FoundFish
from worker.evaluation.compared_models import Bench, ComparedOptions, evaluate_folds, head_answers
from worker.evaluation.cross_validate import cross_validate
from worker.evaluation.kept_answers import KeptAnswers
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold, SplitKind
from worker.training.detector.fit import FitSettings
from worker.training.features.cache import Features
from worker.vision.heatmaps import unpack_heatmap

LABELS = LabelSet(("ALB", "LAG", "NoF"))
NOTHING_TRAINED = ComparedOptions((), ())


def _features(samples: Sequence[TrainingSample]) -> Features:
    """Features that tell the species by their first channel, and the camera by their second."""
    told = [(LABELS.index(sample.label.species), float(sample.camera[-1])) for sample in samples]
    values = np.array(told, dtype=np.float32)[:, None, None, :]
    return Features((1, 1, 2), {sample.sha256: (values, row) for row, sample in enumerate(samples)})


def _fleet(count: int) -> list[TrainingSample]:
    """Images of four cameras a month; each month has another species most often."""
    return [
        TrainingSample(
            file=b"/none.jpg",
            sha256=f"{number:04d}",
            camera=f"camera {number % 4}",
            label=ImageLabel(LABELS.names[(number // 7) % 3]),
            width_px=640,
            height_px=360,
            captured_at=f"2024-{1 + number * 12 // count:02d}-01",
        )
        for number in range(count)
    ]


def _fit_of(head: HeadName) -> FitSettings:
    return FitSettings()


def _bench(samples: Sequence[TrainingSample], **changed: object) -> Bench:
    return Bench(samples, _features(samples), LABELS, (36, 64), _fit_of, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("split", list(SplitKind))
def test_baselines_are_evaluated_over_every_kind_of_split(split: SplitKind) -> None:
    samples = _fleet(120)

    done = cross_validate(_bench(samples), NOTHING_TRAINED, split, alike=np.arange(120), folds=3, seed=0)

    majority, probe = done.figures
    assert probe.mean["accuracy"] == 1.0 > majority.mean["accuracy"]
    assert len(done.folds) == len(probe.folds) == len(probe.calibration) == 3
    assert (done.at_random is None) == (split is SplitKind.RANDOM)
    evaluated = 90 if split is SplitKind.TIME else 120  # the first quarter of the year is only learnt from
    assert len(done.evaluated.samples) == sum(fold.evaluate for fold in done.folds) == evaluated


def test_a_fold_that_near_duplicates_leave_nothing_to_learn_is_told() -> None:
    samples = _fleet(8)

    with pytest.raises(TrainingError, match="by camera fold 1 of 2: 0 images to learn from, 4 to evaluate"):
        cross_validate(
            _bench(samples), NOTHING_TRAINED, SplitKind.CAMERA, alike=np.zeros(8, dtype=int), folds=2, seed=0
        )


def test_a_species_of_one_camera_cannot_be_learnt_when_that_is_evaluated() -> None:
    samples = [
        TrainingSample(b"/f", str(n), f"camera {n % 3}", ImageLabel("LAG" if n % 3 == 2 else "NoF"), 640, 360)
        for n in range(12)
    ]

    done = cross_validate(_bench(samples), NOTHING_TRAINED, SplitKind.CAMERA, alike=np.arange(12), folds=3, seed=0)

    assert [fold.species_not_learnt for fold in done.folds if "camera 2" in fold.cameras] == [("LAG",)]
    assert done.figures[0].by_species["LAG"]["recall"] == 0.0


def _head(name: HeadName, **outputs: np.ndarray) -> SimpleNamespace:
    """A trained head that says the same of every image."""
    network = SimpleNamespace(
        inputs=[None],
        predict_on_batch=lambda batch: {
            key: np.repeat(value[None], len(batch), axis=0) for key, value in outputs.items()
        },
    )
    samples = _fleet(2)
    data = SimpleNamespace(features=_features(samples), sha256s=[one.sha256 for one in samples], metadata=None)
    return SimpleNamespace(name=name, head=network, data=data)


def test_a_box_head_finds_one_fish_in_the_originals_pixels() -> None:
    said = np.array([0.1, 0.6, 0.3])
    head = _head(HeadName.BOX_SPECIES, box=np.array([6.4, 3.6, 32.0, 18.0]), box_species=said)

    answers = head_answers(_bench(_fleet(2)), head, np.array([0, 1]))

    assert np.allclose(answers.largest[0], [64, 36, 320, 180])  # the input is a tenth of the original
    fish = answers.found[0][0]
    assert (fish.species_index, round(fish.confidence, 3)) == (1, 0.7)  # as surely a fish as not none


def test_a_heat_map_finds_its_fish_and_keeps_its_map_where_asked() -> None:
    logits = np.zeros((6, 8, 3))
    logits[..., 2] = 5.0  # no fish
    logits[2:4, 4:6] = (9.0, 0.0, 0.0)
    head = _head(HeadName.HEATMAP, heatmap=logits, heatmap_species=np.array([0.9, 0.05, 0.05]))

    answers = head_answers(_bench(_fleet(2), heatmaps=True), head, np.array([0, 1]))

    assert [fish.species_index for fish in answers.found[1]] == [0]
    assert np.allclose(answers.found[1][0].xyxy, [320, 120, 480, 240], atol=1)  # cells of 80 x 60 pixels
    assert unpack_heatmap(answers.heatmaps[1]).shape == (6, 8, 3)


def _some_answers(count: int) -> Answers:
    found = [[FoundFish((1.0, 2.0, 3.0, 4.0), 1, 0.5)] * (row % 3) for row in range(count)]
    maps = [bytes([row] * (row + 1)) for row in range(count)]
    return Answers("gap", np.full((count, 3), 1 / 3), np.ones((count, 4)), found, 2.5, maps)


def test_a_head_that_has_answered_is_not_trained_again(tmp_path: Path) -> None:
    samples, fold = _fleet(24), Fold(np.arange(12), np.arange(12, 24))
    kept = KeptAnswers(tmp_path / "kept", "trunk 360x640")
    kept.keep(kept.key(HeadName.GAP, FitSettings(), fold, samples), _some_answers(12))

    _evaluated, (*_baselines, gap) = evaluate_folds(
        _bench(samples, kept=kept), [fold], ComparedOptions((HeadName.GAP,), ()), called="by camera"
    )

    assert (gap.name, gap.seconds, gap.found) == ("gap", 2.5, _some_answers(12).found)
    assert gap.heatmaps == _some_answers(12).heatmaps and np.array_equal(gap.largest, np.ones((12, 4)))
    kept.forget()
    assert not list((tmp_path / "kept").iterdir())


def test_answers_are_of_these_images_labels_and_recipes_only(tmp_path: Path) -> None:
    samples, fold = _fleet(24), Fold(np.arange(12), np.arange(12, 24))
    kept, fit = KeptAnswers(tmp_path, "trunk"), FitSettings()
    repaired = [replace(samples[0], label=ImageLabel("NoF")), *samples[1:]]

    keys = {
        kept.key(HeadName.GAP, fit, fold, samples),
        kept.key(HeadName.DENSE, fit, fold, samples),
        kept.key(HeadName.GAP, replace(fit, seed=1), fold, samples),
        kept.key(HeadName.GAP, fit, Fold(fold.eval_rows, fold.learn_rows), samples),
        kept.key(HeadName.GAP, fit, fold, repaired),
        KeptAnswers(tmp_path, "another trunk").key(HeadName.GAP, fit, fold, samples),
    }

    assert len(keys) == 6


def test_a_torn_file_is_no_answer(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path, "trunk")
    kept.keep("one", _some_answers(3))
    file = tmp_path / "one.npz"
    file.write_bytes(file.read_bytes()[:200])

    assert kept.recall("one") is None and kept.recall("two") is None
