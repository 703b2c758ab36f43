"""Turns labelled images into what the second stage learns from: every boxed fish, and places that show none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from db.domain.boxes import Box, clip_box
from db.domain.species import NO_FISH
from worker.training.data.samples import TrainingSample

MIN_SIDE_PX = 4.0  # a box of fewer pixels shows nothing that tells species apart
_EMPTY_BACKGROUNDS = 2  # of an image without fish
_FISH_BACKGROUNDS_SHARE = 0.25  # of the images with boxed fish, one background each
_TRIES = 8


@dataclass(frozen=True)
class CropSample:
    """One crop to learn from. file: the image's path, bytes; box: inside the image, pixels of the upright original.

    weight: how much it counts beside others. head_px, tail_px: where someone marked them.
    """

    file: bytes
    sha256: str
    camera: str
    box: Box
    species: str
    width_px: int
    height_px: int
    weight: float = 1.0
    head_px: tuple[float, float] | None = None
    tail_px: tuple[float, float] | None = None

    @property
    def key(self) -> str:
        """A name for exactly this part of this content; caches know it by that."""
        place = " ".join(f"{value:.2f}" for value in self.box.xyxy)
        return hashlib.sha256(f"{self.sha256} {place}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class CropSamples:
    """The crops, and one line for each label or box that gives none."""

    samples: tuple[CropSample, ...]
    left_out: tuple[str, ...]


def crop_samples(
    images: Sequence[TrainingSample],
    *,
    seed: int = 0,
) -> CropSamples:
    """Return the crops of every labelled image, each once: its fish, and `NoF` for backgrounds and false boxes.

    A crop counts as much as its image.
    Backgrounds depend on the seed and the image only: a larger data set has the same.
    """
    crops: dict[str, CropSample] = {}
    left_out: list[str] = []
    for image in images:
        found = _fish(image, left_out)
        wrong = [*image.false_boxes, *_backgrounds(image, seed)]
        found += _no_fish(image, wrong)
        crops.update({crop.key: crop for crop in found})
    return CropSamples(tuple(crops.values()), tuple(left_out))


def _fish(image: TrainingSample, left_out: list[str]) -> list[CropSample]:
    found = []
    for number, labelled in enumerate(image.label.boxes):
        inside = _inside(labelled.box, image)
        if inside is None:
            left_out.append(
                f"{os.fsdecode(image.file)} box {number + 1}: {_shown(labelled.box)} has no {MIN_SIDE_PX:.0f} x "
                f"{MIN_SIDE_PX:.0f} pixels inside the image of {image.width_px} x {image.height_px}"
            )
            continue
        found.append(_crop(image, inside, labelled.species, labelled.head_px, labelled.tail_px))
    return found


def _no_fish(image: TrainingSample, boxes: Sequence[Box]) -> list[CropSample]:
    if not image.label.boxes and not image.label.is_empty:
        return []  # only the species is known: anything may be a fish
    inside = [clipped for box in boxes if (clipped := _inside(box, image)) is not None]
    return [_crop(image, box, NO_FISH) for box in inside]


def _backgrounds(image: TrainingSample, seed: int) -> Iterator[Box]:
    """Places drawn at random, of the sizes and shapes that fish have; none that touches a boxed fish."""
    if image.width_px < 2 * MIN_SIDE_PX or image.height_px < 2 * MIN_SIDE_PX:
        return
    rng = np.random.default_rng(int(hashlib.sha256(f"{seed} {image.sha256}".encode()).hexdigest()[:16], 16))
    wanted = _EMPTY_BACKGROUNDS if image.label.is_empty else int(rng.random() < _FISH_BACKGROUNDS_SHARE)
    fish = np.array([labelled.box.xyxy for labelled in image.label.boxes], dtype=np.float64).reshape(-1, 4)
    for _ in range(_TRIES):
        if wanted == 0:
            return
        box = _random_box(image, rng)
        low, high = np.maximum(fish[:, :2], box.xyxy[:2]), np.minimum(fish[:, 2:], box.xyxy[2:])
        if not np.prod(np.clip(high - low, 0.0, None), axis=1).any():
            wanted -= 1
            yield box


def _random_box(image: TrainingSample, rng: np.random.Generator) -> Box:
    long, shape = rng.uniform(0.08, 0.35) * image.width_px, rng.uniform(0.35, 1.0)
    sides = np.array([long, long * shape])[:: rng.choice([1, -1])]
    width, height = np.clip(sides, MIN_SIDE_PX, [image.width_px, image.height_px])
    x, y = rng.uniform(0.0, image.width_px - width), rng.uniform(0.0, image.height_px - height)
    return Box(float(x), float(y), float(x + width), float(y + height))


def _inside(box: Box, image: TrainingSample) -> Box | None:
    clipped = clip_box(box, width_px=image.width_px, height_px=image.height_px)
    if clipped is None or min(clipped.x_max - clipped.x_min, clipped.y_max - clipped.y_min) < MIN_SIDE_PX:
        return None
    return clipped


def _crop(
    image: TrainingSample,
    box: Box,
    species: str,
    head_px: tuple[float, float] | None = None,
    tail_px: tuple[float, float] | None = None,
) -> CropSample:
    return CropSample(
        image.file,
        image.sha256,
        image.camera,
        box,
        species,
        image.width_px,
        image.height_px,
        image.weight,
        head_px,
        tail_px,
    )


def _shown(box: Box) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in box.xyxy) + ")"
