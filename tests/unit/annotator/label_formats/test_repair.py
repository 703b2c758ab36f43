"""A record becomes a label in pixels of the upright image, repaired by stated rules, or its image is left out."""

from __future__ import annotations

import pytest

from annotator.label_formats.records import RawBox, RawRecord
from annotator.label_formats.repair import Repaired, repair
from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET as SPECIES

FISH = RawBox("ALB", (10, 10, 20, 20))


def _repair(*boxes: RawBox, **more: object) -> Repaired:
    raw = RawRecord("a.jpg", "a", boxes=boxes, **more)  # type: ignore[arg-type]
    return repair(raw, width_px=100, height_px=50, label_set=SPECIES)


def test_a_box_beyond_the_frame_is_cut_and_one_inside_out_is_turned() -> None:
    repaired = _repair(RawBox("alb", (90, 40, 120, 20)))

    assert repaired.label == ImageLabel("ALB", (LabelledBox(Box(90, 20, 100, 40), "ALB"),))
    assert len(repaired.notes) == 2 and not repaired.problems


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (RawBox("ALB", (200, 0, 300, 10)), "lies outside the image of 100 x 50 pixels"),
        (RawBox("ALB", (5, 5, 5, 10)), "is empty"),
        (RawBox("ALB", (float("inf"), 0, 1, 1)), "not a number"),
        (RawBox("ALB", (0.2, 0.3, 0.4, 0.9)), "lies within 0..1; wanted pixels"),
        (RawBox("YTF", (0, 0, 5, 5)), "did you mean YFT?"),
        (RawBox("NoF", (0, 0, 5, 5)), "a box around no fish"),
    ],
    ids=["outside", "empty", "infinite", "shares", "unknown species", "no fish"],
)
def test_a_box_that_cannot_be_used_leaves_its_image_out(box: RawBox, reason: str) -> None:
    repaired = _repair(FISH, box)

    assert repaired.label is None
    assert len(repaired.problems) == 1 and reason in repaired.problems[0]


def test_a_head_without_a_fish_leaves_its_image_out() -> None:
    assert "a head is marked" in _repair(ends=(("head", (3.0, 3.0)),)).problems[0]
    assert _repair(ends=(("head", (3.0, 3.0)),), species="ALB").label == ImageLabel("ALB")


def test_the_largest_fish_names_the_image_and_its_head_goes_to_the_nearest_box() -> None:
    small, large = RawBox("BET", (0, 0, 10, 10)), RawBox("YFT", (50, 10, 90, 40))

    label = _repair(small, large, ends=(("head", (12.0, 5.0)),)).label

    assert label is not None and label.species == "YFT"
    assert label.boxes[0].head_px == (12.0, 5.0) and label.boxes[1].head_px is None


def test_a_boxs_own_head_stays_its_own() -> None:
    far = RawBox("BET", (0.0, 0.0, 0.1, 0.1), ends=(("head", (0.9, 0.9)),))

    label = _repair(far, RawBox("YFT", (0.5, 0.5, 0.9, 0.9)), normalised=True).label

    assert label is not None and label.boxes[0].head_px == (90.0, 45.0) and label.boxes[1].head_px is None


def test_boxes_for_a_smaller_copy_are_scaled_and_for_another_shape_refused() -> None:
    raw = RawRecord("a.jpg", "a", boxes=(RawBox("ALB", (5, 5, 10, 10)),), size_px=(50, 25))

    scaled = repair(raw, width_px=100, height_px=50, label_set=SPECIES)
    turned = repair(raw, width_px=50, height_px=100, label_set=SPECIES)

    assert scaled.label is not None and scaled.label.boxes[0].box == Box(10, 10, 20, 20)
    assert turned.label is None and "written for 50 x 25 pixels" in turned.problems[0]
