"""Views of images: the same ones each time, with boxes where the fish went, and none that cuts a fish off."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from worker.training.data.samples import TrainingSample
from worker.training.features.augment import change_boxes
from worker.training.features.cache import Features
from worker.training.features.compute import ImageView
from worker.training.features.views import add_views, look_of, numbered_view

INPUT_HW = (90, 160)
MIDDLE = Box(60, 35, 100, 55)
CORNER = Box(0, 0, 12, 8)


def _sample(number: int, box: Box = MIDDLE) -> TrainingSample:
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    return TrainingSample(b"/a.jpg", sha256, "boat", ImageLabel("ALB", (LabelledBox(box, "ALB"),)), 160, 90)


class _Cached:
    """Stands in for a shard: only who asked for which features matters here."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def compute(self, samples: Sequence[TrainingSample], view: ImageView) -> Features:
        self.asked.append((view.name, [sample.sha256 for sample in samples]))
        rows = {sample.sha256: (view.name, row) for row, sample in enumerate(samples)}
        return Features((1, 1, 1), rows)  # type: ignore[arg-type]


def _views(samples: list[TrainingSample], learn_rows: Sequence[int], count: int):
    cached = _Cached()
    plain = cached.compute(samples, ImageView("plain", lambda pixels, sample: pixels))
    viewed = add_views(
        samples,
        plain,
        learn_rows=np.array(learn_rows),
        count=count,
        input_hw=INPUT_HW,
        compute=cached.compute,
    )
    return viewed, cached.asked[1:]


def test_each_image_that_is_learnt_from_has_its_views_and_the_others_none() -> None:
    samples = [_sample(number) for number in range(3)]

    viewed, asked = _views(samples, [0, 2], count=2)

    assert viewed.samples[:3] == samples and len(viewed.samples) == 7
    assert viewed.rows.tolist() == [[0, 3, 5], [1, 1, 1], [2, 4, 6]]
    assert [names for _view, names in asked] == [[samples[0].sha256, samples[2].sha256]] * 2
    assert len({view for view, _names in asked}) == 2
    assert viewed.features.rows[viewed.samples[6].sha256] == (asked[1][0], 1)


def test_the_box_of_a_view_is_where_its_look_takes_it() -> None:
    sample = _sample(1)

    viewed, _asked = _views([sample], [0], count=1)

    # The image has the input's size, so its pixels are the input's.
    wanted = change_boxes([MIDDLE.xyxy], look_of(sample.sha256, 1), size_hw=INPUT_HW)[0]
    assert viewed.samples[1].label.boxes[0].box.xyxy == pytest.approx(tuple(wanted))


def test_a_view_that_cuts_a_fish_off_is_not_learnt_from() -> None:
    samples = [_sample(number, CORNER) for number in range(40)]

    viewed, asked = _views(samples, range(40), count=1)

    cut = [row for row in range(40) if viewed.rows[row, 1] == row]
    assert 0 < len(cut) < 40
    assert len(asked[0][1]) == 40 - len(cut)  # and it is not computed either


def test_a_corrected_label_keeps_the_view_that_was_cached() -> None:
    sample = _sample(1)
    corrected = dataclasses.replace(sample, label=ImageLabel("BET"))
    pixels = np.random.default_rng(0).integers(0, 256, (*INPUT_HW, 3), dtype=np.uint8)

    first, second = (numbered_view(1).change(pixels, said) for said in (sample, corrected))

    assert np.array_equal(first, second)
    assert not np.array_equal(first, numbered_view(2).change(pixels, sample))
