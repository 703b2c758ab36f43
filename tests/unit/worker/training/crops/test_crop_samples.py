"""Which crops the second stage learns from: boxed fish, backgrounds without one, boxes that people removed."""

from __future__ import annotations

import dataclasses

from db.domain.box_overlaps import box_iou_batch
from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from worker.training.crops.samples import crop_samples
from worker.training.data.samples import TrainingSample, with_false_boxes

FISH = LabelledBox(Box(100, 100, 200, 150), "ALB", (100.0, 120.0), (200.0, 120.0))


def _image(number: int, species: str, *boxes: LabelledBox) -> TrainingSample:
    return TrainingSample(b"/a/%d.jpg" % number, f"{number:064d}", "boat", ImageLabel(species, boxes), 640, 360)


def test_every_boxed_fish_is_a_crop_with_its_own_species_and_ends() -> None:
    other = LabelledBox(Box(300, 100, 380, 140), "YFT")

    found = crop_samples([dataclasses.replace(_image(1, "ALB", FISH, other), weight=2.0)]).samples

    fish = [(crop.species, crop.box, crop.weight) for crop in found if crop.species != "NoF"]
    assert fish == [("ALB", FISH.box, 2.0), ("YFT", other.box, 2.0)]
    assert (found[0].head_px, found[0].tail_px) == ((100.0, 120.0), (200.0, 120.0))


def test_backgrounds_touch_no_fish_and_are_the_same_in_every_data_set() -> None:
    images = [_image(number, "ALB", FISH) for number in range(60)] + [_image(99, "NoF")]

    all_at_once = crop_samples(images).samples
    alone = crop_samples(images[-1:]).samples

    empty = [crop for crop in all_at_once if crop.species == "NoF"]
    assert 5 < len(empty) < 30  # a quarter of 60, and two of the empty image
    fish = [FISH.box.xyxy]
    assert all(box_iou_batch([crop.box.xyxy], fish)[0, 0] == 0.0 for crop in empty if crop.sha256 != f"{99:064d}")
    assert [crop.box for crop in alone] == [crop.box for crop in all_at_once if crop.sha256 == f"{99:064d}"]
    assert len(alone) == 2


def test_a_false_box_teaches_no_fish_unless_it_merely_sits_badly_on_one() -> None:
    wrong, shifted = Box(400, 200, 480, 260), Box(120, 110, 210, 160)

    found = crop_samples(with_false_boxes([_image(1, "ALB", FISH)], {f"{1:064d}": [wrong, shifted]})).samples

    assert wrong in [crop.box for crop in found if crop.species == "NoF"]
    assert shifted not in [crop.box for crop in found]


def test_where_only_the_species_is_known_nothing_is_called_empty() -> None:
    found = crop_samples(with_false_boxes([_image(1, "ALB")], {f"{1:064d}": [Box(0, 0, 50, 50)]}))

    assert found.samples == ()


def test_boxes_outside_the_image_are_named_and_those_that_reach_out_are_cut() -> None:
    outside, reaching = LabelledBox(Box(700, 0, 800, 50), "ALB"), LabelledBox(Box(600, 300, 700, 400), "ALB")

    found = crop_samples([_image(1, "ALB", outside, reaching)])

    assert found.left_out == ("/a/1.jpg box 1: (700, 0, 800, 50) has no 4 x 4 pixels inside the image of 640 x 360",)
    assert found.samples[0].box == Box(600, 300, 640, 360)


def test_the_same_box_of_the_same_content_is_one_crop() -> None:
    assert len(crop_samples([_image(1, "ALB", FISH, FISH)]).samples) == len(
        crop_samples([_image(1, "ALB", FISH)]).samples
    )
