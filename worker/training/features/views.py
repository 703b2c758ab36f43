"""Augmented views of labelled images: each goes through the trunk once, as plain images do, under its own key.

Heads then train on cached features still: in each epoch every image shows one of its views, drawn at random.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import boxes_in_input, sample_letterbox
from worker.training.features.augment import (
    VERSION,
    AugmentParameters,
    change_boxes,
    change_image,
    draw_look,
    visible_share,
)
from worker.training.features.cache import Features
from worker.training.features.compute import ImageView

# A view that cuts more than this off any fish is not learnt from: what remains may be no fish that one could name.
_MIN_VISIBLE = 0.6

Compute = Callable[[Sequence[TrainingSample], ImageView], Features]


@dataclass(frozen=True)
class ViewedImages:
    """Images and their views. samples: the plain ones first, then the views, each an image with its own label.

    features: of all of them. rows: (N, K + 1), the places of each plain image and its views in samples; a view that
    is not learnt from has the plain image's place.
    """

    samples: list[TrainingSample]
    features: Features
    rows: npt.NDArray[np.int64]


def add_views(
    samples: Sequence[TrainingSample],
    features: Features,
    *,
    learn_rows: npt.NDArray[np.int64],
    count: int,
    input_hw: tuple[int, int],
    compute: Compute,
) -> ViewedImages:
    """Return the images with so many views of each image that is learnt from.

    compute: gives the features of images seen through a view.
    """
    every, cached = list(samples), dict(features.rows)
    rows = np.repeat(np.arange(len(samples))[:, None], count + 1, axis=1)
    for number in range(1, count + 1):
        seen = {int(row): _seen(samples[row], number, input_hw) for row in learn_rows}
        kept = {row: view for row, view in seen.items() if view is not None}
        computed = compute([samples[row] for row in kept], numbered_view(number))
        for row, view in kept.items():
            if samples[row].sha256 in computed:
                rows[row, number] = len(every)
                every.append(view)
                cached[view.sha256] = computed.rows[samples[row].sha256]
    return ViewedImages(every, Features(features.shape, cached), rows)


def numbered_view(number: int) -> ImageView:
    """Return the number-th view of images; the same one whenever it is asked for."""

    def change(pixels: npt.NDArray[np.uint8], sample: TrainingSample) -> npt.NDArray[np.uint8]:
        return change_image(pixels, look_of(sample.sha256, number))

    return ImageView(f"augmented {VERSION} {number}", change)


def look_of(sha256: str, number: int) -> AugmentParameters:
    """Return how the number-th view of a content looks."""
    return draw_look(np.random.default_rng([int(sha256[:16], 16), number]))


def _seen(sample: TrainingSample, number: int, input_hw: tuple[int, int]) -> TrainingSample | None:
    """Return the image as its view shows it, boxes moved; None where the view cuts a fish off."""
    letterbox = sample_letterbox(sample, input_hw)
    boxes = change_boxes(boxes_in_input(sample, letterbox), look_of(sample.sha256, number), size_hw=input_hw)
    if (visible_share(boxes, size_hw=input_hw) < _MIN_VISIBLE).any():
        return None
    limit = np.array([input_hw[1], input_hw[0]] * 2, dtype=np.float64)
    moved = letterbox.to_original(np.clip(boxes, 0.0, limit)).tolist()
    labelled = [LabelledBox(Box(*box), held.species) for box, held in zip(moved, sample.label.boxes, strict=True)]
    label = ImageLabel(sample.label.species, tuple(labelled))
    return dataclasses.replace(sample, sha256=f"{sample.sha256}#{number}", label=label)
