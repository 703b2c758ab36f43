"""What a report counts and chooses, and where its heat maps lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from db.domain.corrections import Correction, CorrectionOutcome
from db.domain.labels import ImageLabel
from db.domain.results import ImageResult
from tests.factories import failed_result, image_result
from worker.report.heat_layer import heat_tiles
from worker.report.summary import summarise


def evaluated(item_id: int, agreement: float, *, species: str = "ALB", camera: str = "boat_1") -> ImageResult:
    result = image_result(species=species, item_id=item_id, camera=camera)
    assert result.prediction is not None
    scored = replace(result.prediction.agreement, score=agreement)
    return replace(result, prediction=replace(result.prediction, agreement=scored, error_probability=1.0 - agreement))


def test_a_job_is_counted_by_species_camera_agreement_and_failure() -> None:
    results = [
        evaluated(1, 0.02),
        evaluated(2, 0.49, species="YFT"),
        evaluated(3, 1.0, camera="boat_2"),
        failed_result("torn"),
    ]

    found = summarise(iter(results), max_images=10, flag_below=0.5)

    assert found.images == 4 and found.flagged == 2
    assert found.species == {"ALB": 2, "YFT": 1}
    assert found.by_camera == {"boat_1": {"ALB": 1, "YFT": 1}, "boat_2": {"ALB": 1}}
    # Steps of 0.05: 0.02 is in the first, 0.49 in the tenth, and 1.0 in the last.
    assert [place for place, count in enumerate(found.agreement_bins) if count] == [0, 9, 19]
    assert [place for place, count in enumerate(found.flagged_bins) if count] == [0, 9]
    assert found.reasons == {"broken": 1} and [one.path for one in found.failed] == ["torn"]
    assert found.chosen == [1, 2, 3]


def test_images_are_counted_by_their_cameras_day_and_by_trip() -> None:
    results = [
        replace(evaluated(1, 0.9), path="trip 7/cam1/1.jpg", captured_at="2024-03-02T23:59:59"),
        replace(evaluated(2, 0.9), path="trip 8/2.jpg", captured_at="2024-03-03T00:00:01"),
        replace(evaluated(3, 0.9, species="YFT"), path="3.jpg", captured_at=None),
    ]

    found = summarise(iter(results), max_images=10, flag_below=0.5)

    assert found.by_day == {"2024-03-02": {"ALB": 1}, "2024-03-03": {"ALB": 1}, "": {"YFT": 1}}
    assert found.by_trip == {"trip 7": {"ALB": 1}, "trip 8": {"ALB": 1}, "": {"YFT": 1}}


def test_what_a_person_said_counts_before_the_model_and_is_no_longer_to_be_looked_at() -> None:
    said = Correction(
        "ab" * 32, ImageLabel("NoF"), CorrectionOutcome.CONFIRMED_EMPTY, (), "ana", "2024-05-06", "e", "m1"
    )
    seen = replace(evaluated(1, 0.02), review=said)

    found = summarise(iter([seen, evaluated(2, 0.02)]), max_images=10, flag_below=0.5)

    assert (found.flagged, found.reviewed, found.differing) == (1, 1, 1)
    assert found.species == {"NoF": 1, "ALB": 1}


def test_the_most_doubtful_images_are_chosen_and_the_surest_of_each_species() -> None:
    albs = [evaluated(number, number / 100) for number in range(1, 51)]
    yfts = [evaluated(100 + number, 0.5 + number / 100, species="YFT") for number in range(1, 11)]

    found = summarise(iter([*albs, *yfts]), max_images=10, flag_below=0.5)

    assert found.chosen == [1, 2, 3, 4, 48, 49, 50, 108, 109, 110]


def test_no_more_images_are_chosen_than_asked_for() -> None:
    results = [
        evaluated(number, 0.5, species=name) for number, name in enumerate(("ALB", "BET", "DOL", "YFT"), start=1)
    ]

    assert len(summarise(iter(results), max_images=2, flag_below=0.5).chosen) == 2
    assert summarise(iter(results), max_images=0, flag_below=0.5).chosen == []


def test_heat_tiles_are_the_species_seen_without_the_letterboxs_border() -> None:
    heatmap = np.zeros((6, 8, 4))
    heatmap[2, 1, 1] = 1.0  # the image's upper left cell: the frame begins at row 2, column 1
    heatmap[4, 6, 3] = 0.8  # its lower right one
    heatmap[0, 0, 2] = 0.05  # too faint to show

    tiles = heat_tiles(heatmap, frame=(1.0, 2.0, 7.0, 5.0))

    assert tiles is not None and tiles.species_indices == (1, 3)
    assert [plane.shape for plane in tiles.planes] == [(3, 6), (3, 6)]
    seen = [list(zip(*np.nonzero(plane > 20), strict=True)) for plane in tiles.planes]
    assert seen == [[(0, 0)], [(2, 5)]]


def test_a_heat_map_that_sees_nothing_has_no_tiles() -> None:
    assert heat_tiles(np.zeros((6, 8, 4)), frame=(0.0, 0.0, 8.0, 6.0)) is None
