"""What is odd about labelled images is named before training: repaired by a stated rule, left out, or refused."""

from __future__ import annotations

import pytest

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET, UnknownSpecies
from worker.training.data.check_samples import check_samples
from worker.training.data.samples import TrainingSample


def _sample(*boxes: tuple[float, float, float, float], species: str = "ALB", width_px: int = 100) -> TrainingSample:
    labelled = tuple(LabelledBox(Box(*box), species) for box in boxes)
    return TrainingSample(b"/fleet/a.jpg", "0" * 64, "boat", ImageLabel(species, labelled), width_px, 50)


def test_images_without_oddities_stay_as_they_are() -> None:
    samples = (_sample((10, 10, 20, 20)), _sample(), _sample(species="NoF"))

    checked = check_samples(samples, DEFAULT_LABEL_SET)

    assert checked.samples == samples and checked.oddities == ()


def test_a_box_beyond_the_frame_is_cut_there() -> None:
    checked = check_samples([_sample((80, 40, 130, 60))], DEFAULT_LABEL_SET)

    assert checked.samples[0].label.boxes[0].box.xyxy == (80, 40, 100, 50)
    assert [odd.text for odd in checked.oddities] == ["box 1 reaches beyond the frame; cut there"]


def test_a_image_whose_only_box_lies_outside_teaches_its_species_alone() -> None:
    checked = check_samples([_sample((120, 10, 130, 20))], DEFAULT_LABEL_SET)

    assert checked.samples[0].label == ImageLabel("ALB")
    assert not checked.samples[0].label.is_empty
    assert checked.oddities[0].text == "box 1 lies outside the image of 100 x 50 pixels; dropped"


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((10, 10, 12, 30), "box 1 is 2 x 20 pixels, a click and no box; dropped"),
        ((0, 0, 100, 50), "box 1 fills the frame; dropped"),
    ],
    ids=["click", "frame"],
)
def test_a_box_that_says_nothing_of_the_place_is_dropped(box: tuple[float, float, float, float], said: str) -> None:
    checked = check_samples([_sample(box)], DEFAULT_LABEL_SET)

    assert checked.samples[0].label == ImageLabel("ALB")
    assert [odd.text for odd in checked.oddities] == [said]


def test_a_image_of_unknown_size_is_left_out_and_named() -> None:
    checked = check_samples([_sample(width_px=0), _sample()], DEFAULT_LABEL_SET)

    assert len(checked.samples) == 1
    assert [(odd.file, odd.left_out) for odd in checked.oddities] == [(b"/fleet/a.jpg", True)]


def test_a_label_outside_the_label_set_is_refused_with_its_file_and_record() -> None:
    with pytest.raises(
        UnknownSpecies, match=r"/fleet/a\.jpg label: 'SHRK' is not a known species \(did you mean SHARK"
    ):
        check_samples([_sample(species="SHRK")], DEFAULT_LABEL_SET)
