"""Figures of merit over folds, and calibration that no image has a say in for itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet
from worker.evaluation.answers import Answers, EvaluatedImages, FoundFish
from worker.evaluation.calibration import ConfidenceCalibration, cross_calibrated, fit_calibration
from worker.evaluation.compared_models import parse_options
from worker.evaluation.figures import compared_figures
from worker.models.errors import UnknownNetwork
from worker.models.names import HeadName
from worker.training import metrics
from worker.training.data.samples import TrainingSample

LABELS = LabelSet(("ALB", "LAG", "NoF"))


def _sure_of(right_share: float, count: int, *, sureness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Answers that are as sure as told and right as often as told."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    said = np.where(rng.random(count) < right_share, truth, (truth + 1) % 3)
    probabilities = np.full((count, 3), (1 - sureness) / 2)
    probabilities[np.arange(count), said] = sureness
    return probabilities, truth


def test_too_sure_answers_become_as_sure_as_they_are_right() -> None:
    probabilities, truth = _sure_of(0.7, 2000, sureness=0.99)

    honest = fit_calibration(probabilities, truth).apply(probabilities)

    assert honest.max(axis=1).mean() == pytest.approx(0.7, abs=0.03)
    assert metrics.log_loss(truth, honest) < metrics.log_loss(truth, probabilities)


def test_a_floor_bounds_what_sure_errors_cost_where_unsure_answers_are_honest() -> None:
    sure, unsure = _sure_of(0.97, 1000, sureness=1.0), _sure_of(0.6, 1000, sureness=0.6)

    fitted = fit_calibration(np.concatenate([sure[0], unsure[0]]), np.concatenate([sure[1], unsure[1]]))

    assert fitted.floor > 0
    assert fitted.apply([[1.0, 0.0, 0.0]]).min() >= fitted.floor


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99))
def test_no_image_has_a_say_in_its_own_calibration(seed: int) -> None:
    probabilities, truth = _sure_of(0.6, 90, sureness=0.95, seed=seed)
    parts = np.arange(90) % 3
    lies = np.where(parts == 1, (truth + 1) % 3, truth)

    honest, _ = cross_calibrated(probabilities, truth, parts)
    of_lies, _ = cross_calibrated(probabilities, lies, parts)

    assert np.array_equal(honest[parts == 1], of_lies[parts == 1])
    assert np.allclose(honest.sum(axis=1), 1.0)
    assert np.array_equal(honest.argmax(axis=1), probabilities.argmax(axis=1))  # only how sure changes


def test_a_single_part_has_nothing_to_be_calibrated_by() -> None:
    probabilities, truth = _sure_of(0.6, 50, sureness=0.95)

    honest, used = cross_calibrated(probabilities, truth, np.zeros(50, dtype=np.int64))

    assert used == {0: ConfidenceCalibration()}
    assert np.allclose(honest, probabilities)


def _sample(camera: str, species: str, *boxes: tuple[float, float, float, float]) -> TrainingSample:
    label = ImageLabel(species, tuple(LabelledBox(Box(*box), species) for box in boxes))
    return TrainingSample(b"/f.jpg", f"{camera}{species}{boxes}", camera, label, 100, 100)


def test_figures_by_fold_species_and_camera_worked_by_hand() -> None:
    samples = [
        _sample("a", "ALB", (0, 0, 10, 10)),  # right, and boxed exactly
        _sample("a", "NoF"),  # right
        _sample("b", "LAG", (0, 0, 10, 10), (50, 50, 60, 60)),  # called ALB; half of one box is met, the other not
        _sample("b", "LAG"),  # right; nobody said where the fish is
    ]
    said = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    boxes = np.array([[0, 0, 10, 10], [0, 0, 0, 0], [0, 0, 10, 5], [7, 7, 9, 9]], dtype=np.float64)
    found = [
        [FoundFish(tuple(box), int(row[:2].argmax()), float(1 - row[2]))] for box, row in zip(boxes, said, strict=True)
    ]
    evaluated = EvaluatedImages(samples, np.array([0, 0, 1, 1]), LABELS)

    figures = compared_figures(evaluated, Answers("one", said, boxes, found), evaluated.folds)

    assert figures.mean["accuracy"] == pytest.approx(0.75)
    assert figures.spread["accuracy"] == pytest.approx(np.std([1.0, 0.5], ddof=1))
    assert figures.mean["largest_fish_mean_iou"] == pytest.approx((1.0 + 0.5) / 2)
    assert figures.by_species["LAG"]["recall"] == 0.5 and figures.by_species["ALB"]["precision"] == 0.5
    assert figures.by_camera["b"]["fish_ap50"] == pytest.approx(0.5)  # one of two fish, found first
    assert figures.confusion == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert "largest_fish_mean_iou" not in figures.by_species["NoF"]  # there is no fish to meet


@pytest.mark.parametrize(
    ("words", "heads", "averages"),
    [
        (["gap"], [HeadName.GAP], []),
        (["gap", "gap+dense"], [HeadName.GAP, HeadName.DENSE], [(HeadName.GAP, HeadName.DENSE)]),
        (["all"], list(HeadName), []),
    ],
    ids=["one", "average", "all"],
)
def test_what_is_evaluated_is_told_by_names(words: list[str], heads: list, averages: list) -> None:
    options = parse_options(words)

    assert (list(options.heads), list(options.averages)) == (heads, averages)


def test_an_unknown_head_is_named() -> None:
    with pytest.raises(UnknownNetwork, match=r"head 'gop' in 'dense\+gop'"):
        parse_options(["dense+gop"])
