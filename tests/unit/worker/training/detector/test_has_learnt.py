"""A detector that cannot see says so, in each of the ways that one was seen to fail."""

from __future__ import annotations

import numpy as np

from worker.training.detector.box_figures import SeenFish
from worker.training.detector.has_learnt import has_learnt

_SPECIES = ("ALB", "YFT")


def _seen(scores: list[float], *, heat_on: float = 0.4, heat_off: float = 0.01) -> SeenFish:
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (len(scores), 1))
    return SeenFish("camera", boxes, np.array(scores), np.array([[0.0, 0.0, 10.0, 10.0]]), heat_on, heat_off)


def _asked(seen: list[SeenFish], **figures: float):
    return has_learnt(seen, figures, images=60, cameras=3, species=_SPECIES)


def test_a_detector_that_sees_has_nothing_said_of_it() -> None:
    said = _asked([_seen([0.6, 0.1, 0.03, 0.02])] * 9, accuracy=0.7, majority_accuracy=0.5)

    assert said.blind == () and said.cautions == ()


def test_twenty_boxes_all_alike_sure_are_blind() -> None:
    said = _asked([_seen(list(np.linspace(0.99, 0.96, 20)))] * 9)

    assert "has not learnt where fish are" in said.blind[0]


def test_one_weak_fish_among_weaker_boxes_is_seen() -> None:
    said = _asked([_seen([0.06] + [0.02] * 19)] * 9)

    assert said.blind == ()


def test_heat_that_is_even_is_blind() -> None:
    said = _asked([_seen([0.6, 0.1, 0.03], heat_on=0.24, heat_off=0.22)] * 9)

    assert "as dense on labelled fish as beside them" in said.blind[0]


def test_species_no_better_than_the_commonest_is_a_caution() -> None:
    said = _asked([_seen([0.6, 0.1, 0.03])] * 9, accuracy=0.5, majority_accuracy=0.5)

    assert said.blind == () and "no better" in said.cautions[0]


def test_one_camera_or_few_images_are_a_caution() -> None:
    said = has_learnt([_seen([0.6, 0.1, 0.03])] * 22, {}, images=22, cameras=1, species=_SPECIES)

    assert said.cautions == ("was evaluated on 22 images of 1 camera: its figures may be chance",)


def test_one_species_is_a_caution() -> None:
    said = has_learnt([], {}, images=60, cameras=3, species=("ALB",))

    assert said.cautions == ("knows one species: whatever fish it finds, it calls ALB",)


def test_none_of_many_fish_found_is_blind_though_scores_and_heat_differ() -> None:
    """Four steps of training made a few cells warm; none of them was a fish, and nothing was said of it."""
    said = _asked([_seen([0.05, 0.02, 0.01])] * 10, fish_recall_in_3=0.0)

    assert said.blind == ("finds no fish: none of the 10 labelled ones is under an image's three surest boxes",)


def test_few_found_fish_are_a_caution_and_none_of_a_handful_too() -> None:
    few = _asked([_seen([0.6, 0.1, 0.03])] * 40, fish_recall_in_3=0.05)
    handful = _asked([_seen([0.6, 0.1, 0.03])] * 6, fish_recall_in_3=0.0)

    assert few.blind == handful.blind == ()
    assert "5% of them" in few.cautions[0] and "0% of them" in handful.cautions[0]
