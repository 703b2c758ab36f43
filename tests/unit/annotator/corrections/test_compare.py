"""Comparing what a person left with what they were shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotator.corrections.compare import Comparison, compare
from annotator.errors import AmbiguousEdit, LabelmeError
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, Point
from annotator.labelme.shown import HIDDEN_KEY, ExportedShape, ExportedState, ShapeRole
from db.domain.corrections import Change, CorrectionOutcome
from db.domain.species import DEFAULT_LABEL_SET

# Two heads on one fish: IoU 80 * 40 / (100 * 50 + 80 * 40 - 80 * 40) = 0.64.
BOX_HEAD = ExportedShape("d1", ShapeRole.BOX_HEAD, "ALB", ((100.0, 100.0), (200.0, 150.0)), 1)
HEATMAP_HEAD = ExportedShape("d2", ShapeRole.HEATMAP_HEAD, "ALB", ((110.0, 105.0), (190.0, 145.0)), 2)
REGION = ExportedShape("r1", ShapeRole.REGION, "ALB", ((110.0, 105.0), (190.0, 105.0), (150.0, 145.0)))
OTHER_FISH = ExportedShape("d3", ShapeRole.HEATMAP_HEAD, "YFT", ((400.0, 200.0), (500.0, 260.0)), 3)


def shown(*shapes: ExportedShape) -> ExportedState:
    return ExportedState(640, 360, shapes)


def left(*shapes: LabelmeShape, **flags: bool) -> LabelmeFile:
    return LabelmeFile("0001.jpg", 640, 360, shapes, flags)


def as_shown(shape: ExportedShape) -> LabelmeShape:
    kind = "polygon" if shape.role is ShapeRole.REGION else "rectangle"
    return LabelmeShape(shape.species, shape.points_px, kind, extra={HIDDEN_KEY: {"shape": shape.shape_id}})


def drawn(species: str, *points: Point, kind: str = "rectangle", group: int | None = None) -> LabelmeShape:
    return LabelmeShape(species, points, kind, group_id=group)


def answer(exported: ExportedState, edited: LabelmeFile) -> Comparison:
    return compare(exported, edited, label_set=DEFAULT_LABEL_SET)


def kinds(found: Comparison) -> list[Change]:
    return [changed.change for changed in found.changes]


def test_a_file_as_it_was_written_is_untouched():
    found = answer(shown(BOX_HEAD, REGION), left(as_shown(BOX_HEAD), as_shown(REGION)))

    assert found == Comparison(CorrectionOutcome.UNTOUCHED, None, ())


def test_reviewed_without_a_change_confirms_what_was_shown():
    found = answer(shown(OTHER_FISH, REGION), left(as_shown(OTHER_FISH), as_shown(REGION), reviewed=True))

    assert found.outcome is CorrectionOutcome.CONFIRMED
    assert found.label is not None and [box.species for box in found.label.boxes] == ["YFT"]
    assert kinds(found) == [Change.KEPT]


def test_both_heads_on_one_fish_are_one_fish_and_the_box_head_draws_it():
    found = answer(shown(HEATMAP_HEAD, BOX_HEAD), left(as_shown(HEATMAP_HEAD), as_shown(BOX_HEAD), reviewed=True))

    assert found.label is not None
    assert [box.box.xyxy for box in found.label.boxes] == [(100.0, 100.0, 200.0, 150.0)]


def test_the_touched_one_of_two_boxes_of_a_fish_stays():
    moved = replace(as_shown(HEATMAP_HEAD), points_px=((105.0, 105.0), (195.0, 145.0)))

    found = answer(shown(BOX_HEAD, HEATMAP_HEAD), left(as_shown(BOX_HEAD), moved))

    assert found.label is not None and [box.box.x_min for box in found.label.boxes] == [105.0]
    assert kinds(found) == [Change.MOVED]


def test_two_species_left_on_one_fish_are_sent_back_to_the_person():
    other_prediction = replace(HEATMAP_HEAD, species="BET")

    with pytest.raises(AmbiguousEdit, match=r"shapes\[0\] and shapes\[1\]: ALB and BET on the same fish"):
        answer(shown(BOX_HEAD, other_prediction), left(as_shown(BOX_HEAD), as_shown(other_prediction), reviewed=True))


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        pytest.param({"label": "BET"}, Change.RELABELLED, id="another species"),
        pytest.param({"points_px": ((390.0, 200.0), (500.0, 260.0))}, Change.MOVED, id="a corner pulled"),
        pytest.param({"points_px": ((500.0, 260.0), (400.0, 200.0)), "label": "YFT"}, None, id="corners swapped"),
        pytest.param({"points_px": ((400.0, 200.0), (500.0, 260.4))}, None, id="rounded by another program"),
    ],
)
def test_an_edited_box_is_told_by_what_changed(edit, change):
    found = answer(shown(OTHER_FISH), left(replace(as_shown(OTHER_FISH), **edit)))

    assert found.outcome is (CorrectionOutcome.UNTOUCHED if change is None else CorrectionOutcome.CORRECTED)
    assert kinds(found) == ([] if change is None else [change])
    assert [changed.detection_id for changed in found.changes] == ([] if change is None else [3])


def test_a_copied_shape_repeats_its_id_and_only_the_nearer_one_is_the_shown_fish():
    copy = replace(as_shown(OTHER_FISH), points_px=((100.0, 20.0), (200.0, 80.0)))

    found = answer(shown(OTHER_FISH), left(copy, as_shown(OTHER_FISH)))

    assert kinds(found) == [Change.ADDED, Change.KEPT]
    assert [changed.detection_id for changed in found.changes] == [None, 3]


def test_a_copy_left_exactly_on_its_original_is_no_second_fish():
    found = answer(shown(OTHER_FISH), left(as_shown(OTHER_FISH), as_shown(OTHER_FISH), reviewed=True))

    assert kinds(found) == [Change.KEPT]


def test_a_copied_region_left_where_it_was_is_no_fish():
    found = answer(shown(OTHER_FISH, REGION), left(as_shown(OTHER_FISH), as_shown(REGION), as_shown(REGION)))

    assert found.outcome is CorrectionOutcome.UNTOUCHED


def test_a_relabelled_region_is_a_fish_that_was_added():
    found = answer(shown(REGION), left(replace(as_shown(REGION), label="DOL")))

    assert kinds(found) == [Change.ADDED]
    assert found.label is not None and found.label.boxes[0].box.xyxy == (110.0, 105.0, 190.0, 145.0)


def test_a_box_deleted_and_drawn_anew_is_the_same_fish():
    found = answer(shown(OTHER_FISH), left(drawn("YFT", (402.0, 200.0), (500.0, 262.0))))

    assert kinds(found) == [Change.MOVED]


def test_deleting_one_fish_and_drawing_another_elsewhere_is_removed_and_added():
    found = answer(shown(OTHER_FISH), left(drawn("SHARK", (10.0, 10.0), (60.0, 60.0))))

    assert kinds(found) == [Change.ADDED, Change.REMOVED]
    assert found.label is not None and found.label.species == "SHARK"


def test_deleting_everything_says_there_is_no_fish():
    found = answer(shown(OTHER_FISH, REGION), left(as_shown(REGION)))

    assert found.outcome is CorrectionOutcome.CONFIRMED_EMPTY
    assert found.label is not None and found.label.is_empty
    assert kinds(found) == [Change.REMOVED]


def test_the_no_fish_flag_clears_what_was_shown_and_left_alone():
    found = answer(shown(BOX_HEAD, HEATMAP_HEAD), left(as_shown(BOX_HEAD), as_shown(HEATMAP_HEAD), no_fish=True))

    assert found.outcome is CorrectionOutcome.CONFIRMED_EMPTY
    assert kinds(found) == [Change.REMOVED, Change.REMOVED]


def test_the_no_fish_flag_beside_a_drawn_fish_is_sent_back():
    with pytest.raises(AmbiguousEdit, match="no_fish"):
        answer(shown(), left(drawn("ALB", (1.0, 1.0), (9.0, 9.0)), no_fish=True))


def test_unsure_decides_nothing_whatever_else_was_done():
    found = answer(shown(OTHER_FISH), left(unsure=True, no_fish=True))

    assert found == Comparison(CorrectionOutcome.UNSURE, None, ())


def test_a_box_labelled_no_fish_is_a_box_taken_away():
    found = answer(shown(OTHER_FISH), left(replace(as_shown(OTHER_FISH), label="NoF")))

    assert found.outcome is CorrectionOutcome.CONFIRMED_EMPTY


def test_head_and_tail_belong_to_the_box_of_their_group_or_the_smallest_around_them():
    inside = drawn("DOL", (420.0, 210.0), (460.0, 240.0), group=7)
    head = drawn("head", (425.0, 220.0), kind="point")
    tail = drawn("tail", (600.0, 300.0), kind="point", group=7)

    found = answer(shown(OTHER_FISH), left(as_shown(OTHER_FISH), inside, head, tail))

    assert found.label is not None
    large, small = found.label.boxes
    assert (large.head_px, large.tail_px) == (None, None)
    assert (small.head_px, small.tail_px) == ((425.0, 220.0), (600.0, 300.0))


def test_head_and_tail_alone_on_a_kept_fish_confirm_it():
    head = drawn("head", (410.0, 220.0), kind="point")

    found = answer(shown(OTHER_FISH), left(as_shown(OTHER_FISH), head))

    assert found.outcome is CorrectionOutcome.CONFIRMED
    assert found.label is not None and found.label.boxes[0].head_px == (410.0, 220.0)


def test_a_head_without_a_fish_is_sent_back():
    with pytest.raises(AmbiguousEdit, match="head"):
        answer(shown(), left(drawn("head", (1.0, 1.0), kind="point")))


def test_a_circle_becomes_the_box_around_it_inside_the_image():
    # Centre (20, 50), radius 30: x from -10, cut at 0.
    found = answer(shown(), left(drawn("LAG", (20.0, 50.0), (20.0, 80.0), kind="circle")))

    assert found.label is not None and found.label.boxes[0].box.xyxy == (0.0, 20.0, 50.0, 80.0)


def test_an_unknown_label_is_named_with_the_nearest_species():
    with pytest.raises(LabelmeError, match=r"shapes\[0\]: 'yft2' is not a known species \(did you mean YFT\?\)"):
        answer(shown(), left(drawn("yft2", (1.0, 1.0), (9.0, 9.0))))


@pytest.mark.parametrize(
    ("points", "text"),
    [
        pytest.param(((5.0, 5.0), (5.0, 9.0)), "without area", id="a line"),
        pytest.param(((700.0, 5.0), (720.0, 9.0)), "outside the image", id="beyond the edge"),
    ],
)
def test_a_shape_that_bounds_nothing_is_named(points, text):
    with pytest.raises(LabelmeError, match=rf"shapes\[0\]: .*{text}"):
        answer(shown(), left(drawn("ALB", *points)))


def test_a_image_of_another_size_is_refused():
    with pytest.raises(LabelmeError, match="641 x 360 pixels, 640 x 360 was exported"):
        answer(shown(), replace(left(reviewed=True), width_px=641))
