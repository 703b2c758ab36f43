"""Figures of merit against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worker.training.metrics import (
    ScoredBox,
    accuracy,
    average_precision,
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    log_loss,
    paired_iou,
)

TRUTH = [0, 0, 0, 1]
SAID = [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.7, 0.3]]  # right, right, wrong, wrong


def test_species_figures_are_those_worked_out_by_hand() -> None:
    assert accuracy(TRUTH, SAID) == 0.5
    assert balanced_accuracy(TRUTH, SAID) == pytest.approx((2 / 3 + 0) / 2)
    assert log_loss(TRUTH, SAID) == pytest.approx(-(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.3)) / 4)
    assert confusion_matrix(TRUTH, SAID, species=2).tolist() == [[2, 1], [1, 0]]


def test_log_loss_of_a_sure_mistake_stays_finite() -> None:
    assert log_loss([1], [[1.0, 0.0]]) == pytest.approx(-math.log(1e-7))


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    # Ten answers at 0.9, six of them right: a gap of 0.3.
    said = [[0.9, 0.1]] * 10

    assert expected_calibration_error([0] * 6 + [1] * 4, said) == pytest.approx(0.3)
    assert expected_calibration_error([0] * 9 + [1], said) == pytest.approx(0.0, abs=1e-9)


def test_paired_iou_compares_row_with_row() -> None:
    # 2x2 boxes a column apart share 2 of 6; a box turned inside out shares nothing.
    assert paired_iou([[0, 0, 2, 2], [5, 5, 1, 1]], [[1, 0, 3, 2], [0, 0, 9, 9]]) == pytest.approx([1 / 3, 0.0])


def test_average_precision_is_the_area_worked_out_by_hand() -> None:
    truths = [[[0, 0, 10, 10]], [[0, 0, 10, 10]]]
    found = [
        ScoredBox(0, (0, 0, 10, 10), 0.9),  # hit: recall 1/2, precision 1
        ScoredBox(0, (0, 0, 10, 9), 0.8),  # the same fish again: a miss
        ScoredBox(1, (0, 0, 10, 8), 0.7),  # hit: recall 1, precision 2/3
    ]

    assert average_precision(found, truths) == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 3)
    assert average_precision(found[::-1], truths) == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 3)


def test_average_precision_without_fish_is_undefined_and_without_answers_zero() -> None:
    assert math.isnan(average_precision([], [[]]))
    assert average_precision([], [[[0, 0, 1, 1]]]) == 0.0
    assert average_precision([ScoredBox(0, (0, 0, 1, 1), 0.5)], [np.zeros((0, 4)), [[0, 0, 1, 1]]]) == 0.0
