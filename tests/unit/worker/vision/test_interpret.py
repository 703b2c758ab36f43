"""Raw outputs become detections, regions and agreement in the original's pixels."""

from __future__ import annotations

import numpy as np
import pytest

from db.domain.box_confidence import BoxConfidence
from db.domain.boxes import Box
from db.domain.predictions import Head, Prediction
from db.domain.species import LabelSet
from worker.vision.agreement import measure_agreement
from worker.vision.crops import crop_box
from worker.vision.heatmaps import find_regions, non_max_suppression, pack_heatmap, region_polygon, unpack_heatmap
from worker.vision.interpret import interpret
from worker.vision.letterbox import fit_letterbox

LABELS = LabelSet(("ALB", "NoF", "YFT"))
WHOLE = (0.0, 0.0, 16.0, 9.0)


def _grid(**fish: tuple[slice, slice]) -> np.ndarray:
    grid = np.zeros((9, 16, 3))
    grid[:, :, 1] = 0.9
    for species, place in fish.items():
        grid[place][:, :, LABELS.index(species)] = 0.8
    return grid


def test_two_fish_of_one_species_and_one_of_another_are_three_regions() -> None:
    grid = _grid(ALB=(slice(1, 3), slice(1, 4)), YFT=(slice(6, 8), slice(6, 9)))
    grid[1:3, 10:14, 0] = 0.6

    regions = find_regions(grid, no_fish_index=1, frame=WHOLE)

    assert {(region.species_index, region.box) for region in regions} == {
        (0, (1.0, 1.0, 4.0, 3.0)),
        (0, (10.0, 1.0, 14.0, 3.0)),
        (2, (6.0, 6.0, 9.0, 8.0)),
    }
    assert [region.confidence for region in regions] == sorted((region.confidence for region in regions), reverse=True)


def test_nothing_is_found_in_the_letterbox_border() -> None:
    grid = _grid(ALB=(slice(0, 9), slice(0, 2)))

    assert find_regions(grid, no_fish_index=1, frame=(2.0, 0.0, 14.0, 9.0)) == []


def test_one_fish_under_two_names_is_one_region_of_the_surer_name() -> None:
    grid = _grid(ALB=(slice(2, 5), slice(2, 7)))
    grid[2:5, 2:7, 2] = 0.5

    regions = find_regions(grid, no_fish_index=1, frame=WHOLE)

    assert [region.species_index for region in regions] == [0]


def test_suppression_keeps_what_does_not_overlap() -> None:
    assert non_max_suppression(np.zeros((0, 4)), [], iou_threshold=0.5) == []
    assert non_max_suppression([[0, 0, 2, 2], [5, 5, 7, 7]], [0.1, 0.2], iou_threshold=0.5) == [1, 0]


def test_the_outline_of_an_l_is_its_hull() -> None:
    mask = np.array([[True, False], [True, True]])

    assert {tuple(point) for point in region_polygon(mask)} == {(0, 0), (1, 0), (2, 1), (2, 2), (0, 2)}


def test_a_packed_heat_map_comes_back_within_half_a_level() -> None:
    heatmap = np.random.default_rng(3).random((23, 40, 8))

    assert np.abs(unpack_heatmap(pack_heatmap(heatmap)) - heatmap).max() <= 1 / 510 + 1e-6


def _interpret(*, box: list[float], box_p: list[float], heat_p: list[float], grid: np.ndarray) -> Prediction:
    return interpret(
        box=box,
        box_probabilities=box_p,
        heatmap_logits=np.log(np.maximum(grid, 1e-3)),
        heatmap_probabilities=heat_p,
        letterbox=fit_letterbox(width_px=1280, height_px=720, into_hw=(144, 256)),
        label_set=LABELS,
    )


def test_two_heads_that_see_the_same_fish_agree() -> None:
    grid = np.full((9, 16, 3), [0.02, 0.96, 0.02])
    grid[1:3, 1:4] = [0.96, 0.02, 0.02]

    # Cells are 16 input pixels, the original is five times the input: cells 1..4 x 1..3 are 80..320 x 80..240.
    prediction = _interpret(box=[16, 16, 64, 48], box_p=[0.98, 0.01, 0.01], heat_p=[0.9, 0.05, 0.05], grid=grid)

    assert [found.head for found in prediction.detections] == [Head.BOX_SPECIES, Head.HEATMAP]
    assert all(np.allclose(found.box.xyxy, (80, 80, 320, 240)) for found in prediction.detections)
    assert prediction.agreement.iou == pytest.approx(1.0)
    # Three parts the mean of 0.98 and 0.9, one part the place.
    assert prediction.agreement.score == pytest.approx(0.955)


def test_two_heads_that_see_no_fish_agree() -> None:
    grid = np.full((9, 16, 3), [0.02, 0.96, 0.02])

    prediction = _interpret(box=[0, 0, 0, 0], box_p=[0.0, 1.0, 0.0], heat_p=[0.0, 1.0, 0.0], grid=grid)

    assert prediction.detections == ()
    assert prediction.agreement.score == pytest.approx(1.0)


def test_other_species_and_other_places_lower_the_agreement() -> None:
    def score(heat: list[float], region: Box) -> float:
        return measure_agreement(
            box=Box(0, 0, 10, 10),
            regions=[region],
            box_probabilities=[0.9, 0.1],
            heatmap_probabilities=heat,
            no_fish_index=2,
        ).score

    same = score([0.9, 0.1], Box(0, 0, 10, 10))

    assert same > score([0.9, 0.1], Box(5, 0, 15, 10)) > score([0.9, 0.1], Box(50, 50, 60, 60))
    assert same > score([0.1, 0.9], Box(0, 0, 10, 10))


def test_an_answer_of_no_fish_has_no_place_to_differ_about() -> None:
    agreement = measure_agreement(
        box=None, regions=[Box(0, 0, 10, 10)], box_probabilities=[0.1, 0.9], heatmap_probabilities=[0.3, 0.7],
        no_fish_index=1,
    )  # fmt: skip

    assert agreement.iou == 0.0
    assert agreement.score == pytest.approx((3 * 0.8 + 1.0) / 4)


def test_the_distance_of_opposite_certainties_is_one() -> None:
    agreement = measure_agreement(
        box=None, regions=[], box_probabilities=[1, 0], heatmap_probabilities=[0, 1], no_fish_index=2
    )

    assert agreement.species_distance == pytest.approx(1.0)
    assert agreement.box_entropy == agreement.heatmap_entropy == 0.0


def test_a_crop_has_its_margin_and_stays_inside() -> None:
    pixels = np.zeros((50, 100, 3), np.uint8)

    # Half-size pixels of a 200x100 original; box 20..60 x 0..20 with a margin of 4 is 16..64 x -4..24.
    assert crop_box(pixels, Box(20, 0, 60, 20), width_px=200, height_px=100).shape == (12, 24, 3)
    assert crop_box(pixels, Box(199, 99, 200, 100), width_px=200, height_px=100, margin=0).shape == (1, 1, 3)


def test_of_a_centre_detector_every_box_has_the_chance_that_it_shows_a_fish() -> None:
    """The box head was 0.98 sure of a species: of a box beside the fish that says nothing."""
    centres, offsets = np.full((18, 32), -12.0), np.full((18, 32, 4), 16.0)
    centres[4, 4] = 0.0

    def said(box: list[int]) -> list[float]:
        found = interpret(
            box=box,
            box_probabilities=[0.98, 0.01, 0.01],
            heatmap_logits=np.zeros((9, 16, 3)),
            heatmap_probabilities=[0.9, 0.05, 0.05],
            ltrb_offsets=offsets,
            centres=centres,
            confidence=BoxConfidence(slope=1.0, offset=0.0, at_least=0.05),
            letterbox=fit_letterbox(width_px=1280, height_px=720, into_hw=(144, 256)),
            label_set=LABELS,
        ).detections
        return [round(one.confidence, 3) for one in found]

    assert said([20, 20, 52, 52]) == [0.5, 0.5]
    assert said([150, 80, 200, 120]) == [0.01, 0.5]
