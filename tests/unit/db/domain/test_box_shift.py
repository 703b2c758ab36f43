"""What corrections on a camera say of its boxes: little says little, much says much; cameras tell how they differ."""

from __future__ import annotations

import math

import pytest

from db.domain.box_shift import MOST, JudgedBoxes, camera_shifts, hits_of, log_odds_of
from db.domain.boxes import Box


def _judged(count: int, hits: int, *, chance: float = 0.5) -> JudgedBoxes:
    return JudgedBoxes((log_odds_of(chance),) * count, (True,) * hits + (False,) * (count - hits))


def _shift(boxes: JudgedBoxes, **others: JudgedBoxes) -> float:
    return camera_shifts({"one": boxes, **others})["one"]


def test_a_camera_that_does_as_the_fleet_is_not_shifted() -> None:
    assert _shift(_judged(40, 20)) == 0.0
    assert _shift(_judged(40, 4, chance=0.1)) == 0.0


def test_two_boxes_prove_nothing_and_forty_do() -> None:
    assert abs(_shift(_judged(2, 0))) <= 0.5
    assert _shift(_judged(40, 4)) == pytest.approx(-2.0, abs=0.5)  # log(0.1 / 0.9) is -2.2


def test_a_thousand_near_duplicates_count_as_sixty_boxes_and_no_shift_is_boundless() -> None:
    assert _shift(_judged(1000, 0)) == pytest.approx(_shift(_judged(60, 0)), abs=0.5)
    assert _shift(_judged(1000, 0)) >= -MOST


def test_cameras_that_differ_much_are_shrunk_less() -> None:
    alike = {f"c{number}": _judged(60, 30) for number in range(12)}
    apart = {f"c{number}": _judged(60, 2 if number % 2 else 58) for number in range(12)}

    assert abs(_shift(_judged(4, 0), **alike)) < abs(_shift(_judged(4, 0), **apart))


def test_a_chance_that_was_told_with_a_shift_is_taken_back_to_the_fleets() -> None:
    told = 1.0 / (1.0 + math.exp(-(log_odds_of(0.3) + 1.5)))

    assert log_odds_of(told, shift=1.5) == pytest.approx(log_odds_of(0.3))


def test_the_first_box_on_a_fish_is_a_hit_and_a_second_one_is_not() -> None:
    fish, same, beside = Box(0, 0, 10, 10), Box(0, 0, 10, 11), Box(20, 0, 30, 10)

    assert hits_of([fish, same, beside], [fish]) == [True, False, False]
    assert hits_of([fish, beside], [beside, fish]) == [True, True]
    assert hits_of([fish], []) == [False]
