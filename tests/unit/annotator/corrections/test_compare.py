"""Comparing what a person left with what they were shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotator.corrections.compare import Comparison, compare
from annotator.errors import AmbiguousEdit, LabelmeError
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, Point
from annotator.labelme.shown import HIDDEN_KEY, ExportedShape, ExportedState, ShapeRole, state_from_json
from db.domain.corrections import Change, CorrectionOutcome
from db.domain.species import DEFAULT_LABEL_SET

FISH = ExportedShape("a1", ShapeRole.ANSWER, "ALB", ((100.0, 100.0), (200.0, 150.0)), 1)
OUTLINE = ExportedShape("o1", ShapeRole.OUTLINE, "BET", ((110.0, 105.0), (190.0, 105.0), (150.0, 145.0)))
OTHER_FISH = ExportedShape("a2", ShapeRole.ANSWER, "YFT", ((400.0, 200.0), (500.0, 260.0)), 3)


def shown(*shapes: ExportedShape) -> ExportedState:
    return ExportedState(640, 360, shapes)


def left(*shapes: LabelmeShape, **flags: bool) -> LabelmeFile:
    return LabelmeFile("0001.jpg", 640, 360, shapes, flags)


def as_shown(shape: ExportedShape) -> LabelmeShape:
    kind = "polygon" if shape.role is ShapeRole.OUTLINE else "rectangle"
    return LabelmeShape(shape.species, shape.points_px, kind, extra={HIDDEN_KEY: {"shape": shape.shape_id}})


def drawn(species: str, *points: Point, kind: str = "rectangle", group: int | None = None) -> LabelmeShape:
    return LabelmeShape(species, points, kind, group_id=group)


def answer(exported: ExportedState, edited: LabelmeFile) -> Comparison:
    return compare(exported, edited, label_set=DEFAULT_LABEL_SET)


def kinds(found: Comparison) -> list[Change]:
    return [changed.change for changed in found.changes]


def test_a_file_as_it_was_written_is_untouched():
    found = answer(shown(FISH, OUTLINE), left(as_shown(FISH), as_shown(OUTLINE)))

    assert found == Comparison(CorrectionOutcome.UNTOUCHED, None, ())


def test_reviewed_without_a_change_confirms_the_answers_boxes_and_nothing_else():
    found = answer(shown(OTHER_FISH, OUTLINE), left(as_shown(OTHER_FISH), as_shown(OUTLINE), reviewed=True))

    assert found.outcome is CorrectionOutcome.CONFIRMED
    assert found.label is not None and [box.species for box in found.label.boxes] == ["YFT"]
    assert kinds(found) == [Change.KEPT]


def test_an_export_of_both_heads_from_before_shows_one_fish_once():
    box_head = {"id": "d1", "role": "box_species", "species": "ALB", "points": [[100, 100], [200, 150]], "detection": 1}
    heatmap = {**box_head, "id": "d2", "role": "heatmap", "species": "BET", "detection": 2}
    region = {"id": "r1", "role": "region", "species": "BET", "points": [[1, 1], [9, 1], [5, 9]], "detection": None}
    both = state_from_json([box_head, heatmap, region], width_px=640, height_px=360)
    alone = state_from_json([box_head, region], width_px=640, height_px=360)

    confirmed = [answer(state, left(*map(as_shown, state.shapes), reviewed=True)) for state in (both, alone)]

    boxes = [found.label.boxes for found in confirmed if found.label is not None]
    assert [[box.species for box in held] for held in boxes] == [["BET"], ["ALB"]]


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


def test_a_copied_outline_left_where_it_was_is_no_fish():
    found = answer(shown(OTHER_FISH, OUTLINE), left(as_shown(OTHER_FISH), as_shown(OUTLINE), as_shown(OUTLINE)))

    assert found.outcome is CorrectionOutcome.UNTOUCHED


def test_a_relabelled_outline_is_a_fish_that_was_added():
    found = answer(shown(OUTLINE), left(replace(as_shown(OUTLINE), label="DOL")))

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
    found = answer(shown(OTHER_FISH, OUTLINE), left(as_shown(OUTLINE)))

    assert found.outcome is CorrectionOutcome.CONFIRMED_EMPTY
    assert found.label is not None and found.label.is_empty
    assert kinds(found) == [Change.REMOVED]


def test_the_no_fish_flag_clears_what_was_shown_and_left_alone():
    found = answer(shown(FISH, OTHER_FISH), left(as_shown(FISH), as_shown(OTHER_FISH), no_fish=True))

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
