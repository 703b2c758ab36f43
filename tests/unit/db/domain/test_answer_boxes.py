"""An image's boxes as they go out: the surest in any case, each fish once, nothing that is taken for no fish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from db.domain.answer_boxes import answer_boxes, box_species
from db.domain.results import StoredPrediction
from tests.factories import image_result

LEFT, RIGHT = (10.0, 10.0, 110.0, 60.0), (300.0, 10.0, 400.0, 60.0)


def evaluated(
    *regions: tuple[str, float, Sequence[float]], crops: Sequence[str | None] = (), box: Sequence[float] = ()
) -> StoredPrediction:
    """A prediction with these regions; crops: what the second stage says of each, its share in the answer is 1."""
    said = image_result(box=box, regions=regions).prediction
    assert said is not None
    names = [None] * bool(box) + list(crops) + [None] * (len(regions) - len(crops))
    detections = tuple(
        replace(found, crop_species=name, crop_confidence=0.8 if name else None)
        for found, name in zip(said.detections, names, strict=True)
    )
    return replace(said, detections=detections, crop_weight=1.0 if any(crops) else 0.0)


def places(said: StoredPrediction) -> list[tuple[float, ...]]:
    return [found.detection.box.xyxy for found in answer_boxes(said)]


def test_the_surest_box_goes_out_however_unsure_it_is_and_others_only_when_sure() -> None:
    assert places(evaluated(("ALB", 0.4, LEFT), ("ALB", 0.3, RIGHT))) == [LEFT]
    assert places(evaluated(("ALB", 0.95, LEFT), ("YFT", 0.99, RIGHT))) == [RIGHT, LEFT]


def test_a_part_of_a_surer_box_is_the_same_fish() -> None:
    half_inside = (60.0, 10.0, 160.0, 60.0)  # shares 50 of its 100 pixels of width with LEFT
    beside = (61.0, 10.0, 161.0, 60.0)

    assert places(evaluated(("ALB", 0.99, LEFT), ("ALB", 0.98, half_inside))) == [LEFT]
    assert places(evaluated(("ALB", 0.99, LEFT), ("ALB", 0.98, beside))) == [LEFT, beside]


def test_a_crop_that_shows_no_fish_is_out_unless_it_is_the_last() -> None:
    assert places(evaluated(("ALB", 0.99, LEFT), ("ALB", 0.97, RIGHT), crops=["NoF", "ALB"])) == [RIGHT]
    assert places(evaluated(("ALB", 0.99, LEFT), ("ALB", 0.97, RIGHT), crops=["NoF", "NoF"])) == [LEFT]


def test_the_box_heads_box_stands_where_the_heat_map_has_none() -> None:
    assert places(evaluated(box=LEFT)) == [LEFT]


def test_a_boxs_species_is_the_second_stages_where_that_knows_better() -> None:
    said = evaluated(("ALB", 0.99, LEFT), crops=["YFT"])
    less_trusted = replace(said, crop_weight=0.4)

    assert box_species(said, said.detections[0]) == ("YFT", 0.8)
    assert box_species(less_trusted, said.detections[0]) == ("ALB", 0.99)
