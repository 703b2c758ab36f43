"""Figures of boxes on held-out images, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from db.domain.box_confidence import BoxConfidence
from worker.training.detector.box_figures import SeenFish, box_figures, counted_boxes

_PLAIN = BoxConfidence(slope=1.0, offset=0.0, at_least=0.05)


def _seen(boxes: list[list[float]], scores: list[float], truth: list[list[float]]) -> SeenFish:
    return SeenFish(
        "camera",
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(scores),
        np.array(truth, dtype=np.float64).reshape(-1, 4),
        heat_on=0.5,
        heat_off=0.01,
    )


def test_of_two_boxes_on_one_fish_the_surer_is_the_hit() -> None:
    seen = _seen([[0, 0, 10, 10], [0, 0, 10, 11], [50, 50, 60, 60]], [0.9, 0.8, 0.1], [[0, 0, 10, 10]])

    assert counted_boxes([seen]).hits.tolist() == [True, False, False]


def test_recall_counts_fish_among_the_surest_boxes() -> None:
    seen = _seen(
        [[90, 90, 99, 99], [0, 0, 10, 10], [50, 50, 60, 60]], [0.9, 0.8, 0.7], [[0, 0, 10, 10], [50, 50, 60, 60]]
    )

    figures = box_figures([seen], _PLAIN)

    assert figures["fish_recall_in_1"] == 0.0
    assert figures["fish_recall_in_3"] == 1.0
    assert figures["fish_pointing"] == 0.0
    assert figures["boxes_an_image"] == 3.0
    # Precision at the two hits: 1/2 and 2/3; the envelope lifts the first.
    assert figures["fish_ap50"] == pytest.approx(2 / 3)


def test_an_image_without_boxes_found_counts_its_fish_as_missed() -> None:
    figures = box_figures([_seen([], [], [[0, 0, 10, 10]])], _PLAIN)

    assert figures["fish_recall_in_3"] == 0.0 and figures["fish_ap50"] == 0.0


def test_without_labelled_boxes_there_are_no_figures() -> None:
    assert box_figures([_seen([[0, 0, 9, 9]], [0.4], [])], _PLAIN) == {}
