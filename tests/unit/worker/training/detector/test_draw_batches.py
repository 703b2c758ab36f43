"""What a window teaches: fish draw it near, and what a person took away counts as the deck that it is, and more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET
from worker.training.data.samples import TrainingSample, with_false_boxes
from worker.training.detector.draw_batches import BatchSource, draw_rows

FISH, CREW = Box(100, 100, 180, 150), Box(500, 260, 580, 310)
SAMPLE = TrainingSample(b"1.jpg", "1", "a", ImageLabel("ALB", (LabelledBox(FISH, "ALB"),)), 640, 360)


class _Grey:
    """Gives grey pixels."""

    def pixels(self, row: int) -> npt.NDArray[np.uint8]:
        return np.full((360, 640, 3), 120, dtype=np.uint8)


def _source(sample: TrainingSample, *, fish_px: float = 85.0) -> BatchSource:
    rows = np.array([0], dtype=np.int64)
    return BatchSource([sample], _Grey(), rows, {"a": fish_px}, DEFAULT_LABEL_SET, (288, 512), 4, seed=0)


def _counts(source: BatchSource, step: int) -> set[float]:
    batch = source.batch(np.zeros(4, dtype=np.int64), step)
    return set(np.unique(batch.centres[..., 1]).tolist())


def test_a_box_that_a_person_took_away_counts_more_and_is_no_fish() -> None:
    plain, told = _source(SAMPLE), _source(replace(SAMPLE, false_boxes=(CREW,)))

    assert _counts(plain, 0) == {1.0}
    batch = told.batch(np.zeros(4, dtype=np.int64), 0)
    counts, hills = batch.centres[..., 1], batch.centres[..., 0]
    assert set(np.unique(counts).tolist()) == {1.0, 3.0}
    assert hills[counts == 3.0].max() < 0.2  # a fish near it is still one
    assert batch.sides[..., 4][counts == 3.0].max() < 0.2


def test_windows_of_small_fish_look_at_false_boxes_too() -> None:
    told = _source(replace(SAMPLE, false_boxes=(CREW,)), fish_px=30.0)

    showing = sum(3.0 in _counts(told, step) for step in range(8))

    assert showing >= 6  # of eight batches of four windows, each of a small part of the image


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        (SAMPLE.label, (CREW,)),
        (ImageLabel("NoF"), (CREW, FISH)),
        (ImageLabel("ALB"), ()),
    ],
    ids=["beside a fish", "in an empty image", "where fish are and nobody boxed them"],
)
def test_only_what_shows_no_fish_is_a_false_box(label: ImageLabel, kept: tuple[Box, ...]) -> None:
    (found,) = with_false_boxes([replace(SAMPLE, label=label)], {"1": (CREW, FISH), "2": (FISH,)})

    assert found.false_boxes == kept


def _shares(cameras: list[str]) -> dict[str, float]:
    """Return each camera's share of what is drawn evenly: of every second time through the images."""
    count = len(cameras)
    rows = draw_rows(cameras, count=count * 200, seed=0).reshape(-1, count)[1::2].ravel()
    drawn = np.array(cameras)[rows]
    return {camera: float((drawn == camera).mean()) for camera in set(cameras)}


def test_a_small_camera_is_drawn_as_often_as_a_large_one() -> None:
    assert _shares(["a"] * 80 + ["b"] * 10)["b"] == pytest.approx(0.5, abs=0.02)


def test_images_that_are_alone_are_not_most_of_what_is_learnt() -> None:
    shares = _shares(["a"] * 40 + ["b"] * 40 + [f"alone {number}" for number in range(8)])

    assert sum(share for camera, share in shares.items() if camera.startswith("alone")) < 0.4
    assert shares["a"] == pytest.approx(shares["b"], abs=0.02)


def test_a_camera_that_was_split_in_two_counts_as_one() -> None:
    shares = _shares(["a"] * 20 + ["a~2"] * 20 + ["b"] * 20)

    assert shares["b"] == pytest.approx(0.5, abs=0.02)
