"""What few crops say is shrunk towards what is usual; what many cameras say is believed."""

from __future__ import annotations

import numpy as np
import pytest

from worker.training.crops.calibrate import USUAL_TEMPERATURE, effective_count, fit_temperature

TRUE_TEMPERATURE = 3.0


def _drawn(count: int, *, cameras: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Logits that are three times too sure, with species drawn from what they should have said."""
    rng = np.random.default_rng(5)
    honest = rng.normal(0, 1.5, (count, 4))
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    species = np.array([rng.choice(4, p=row) for row in shares])
    return honest * TRUE_TEMPERATURE, species, [f"camera {number % cameras}" for number in range(count)]


def _fitted(count: int, *, cameras: int) -> float:
    logits, species, names = _drawn(count, cameras=cameras)
    return fit_temperature(logits, species, names, turns=1, shift=np.zeros(4))


def test_no_crops_leave_the_usual_temperature() -> None:
    assert fit_temperature(np.zeros((0, 4)), np.zeros(0, int), [], turns=1, shift=np.zeros(4)) == USUAL_TEMPERATURE


def test_many_crops_of_many_cameras_are_believed() -> None:
    assert _fitted(800, cameras=40) == pytest.approx(TRUE_TEMPERATURE, rel=0.15)


def test_crops_of_one_camera_move_the_temperature_less_than_as_many_of_many() -> None:
    alone, spread = _fitted(40, cameras=1), _fitted(40, cameras=40)

    assert USUAL_TEMPERATURE < alone < spread


def test_twenty_two_images_of_one_camera_are_worth_five() -> None:
    assert effective_count(["one"] * 22) == pytest.approx(22 / (1 + 0.2 * 21))
