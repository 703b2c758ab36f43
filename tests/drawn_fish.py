"""Small drawn images with a coloured fish: what a network can learn in seconds."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from PIL import Image

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet
from worker.training.data.samples import TrainingSample

LABELS = LabelSet(("ALB", "LAG", "NoF", "SHARK"))
COLOURS = {"ALB": (230, 60, 40), "LAG": (40, 80, 230)}


def draw_fish(folder: Path, number: int, species: str, camera: str, *, deck_grey: int = 90) -> TrainingSample:
    """One image of 192 x 128 pixels: a coloured fish on grey noise; no fish for `NoF`."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(deck_grey, deck_grey + 40, (128, 192, 3), dtype=np.uint8)
    boxes: tuple[LabelledBox, ...] = ()
    if species in COLOURS:
        x, y = int(rng.integers(0, 120)), int(rng.integers(0, 80))
        pixels[y : y + 40, x : x + 64] = COLOURS[species]
        boxes = (LabelledBox(Box(x, y, x + 64, y + 40), species),)
    file = folder / f"{number}.png"
    Image.fromarray(pixels).save(file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return TrainingSample(os.fsencode(file), sha256, camera, ImageLabel(species, boxes), 192, 128)


def draw_fleet(folder: Path, count: int, *, cameras: int = 4) -> list[TrainingSample]:
    """Draw images of ALB, LAG and no fish in turn, spread over the cameras."""
    kinds = ("ALB", "LAG", "NoF")
    return [draw_fish(folder, number, kinds[number % 3], f"camera {number // 3 % cameras}") for number in range(count)]
