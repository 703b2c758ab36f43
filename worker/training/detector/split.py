"""Splits labelled images into those that a detector learns from and those that it is evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.domain.cameras import count_sides
from worker.images.labelled import SkippedFile
from worker.training.data.near_duplicates import near_duplicates
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import held_out_cameras, random_split
from worker.training.detector.settings import TrainSettings
from worker.training.features.thumbnails import thumbnails_of


@dataclass(frozen=True)
class RowSplit:
    """Places of images. cameras: those held out, empty for a split at random; how: in words, for the card.

    skipped: images on neither side, for nobody can tell any more whether another one is nearly the same.
    """

    train_rows: np.ndarray
    held_out_rows: np.ndarray
    cameras: tuple[str, ...]
    how: str
    skipped: tuple[SkippedFile, ...] = ()


def split_rows(samples: Sequence[TrainingSample], settings: TrainSettings, features_dir: Path) -> RowSplit:
    """Return who learns and who evaluates: by camera, at random only where all images are of one camera.

    A guessed label of a held-out camera does neither. At random near-duplicates stay on one side.
    """
    guessed = np.array([sample.guessed for sample in samples], dtype=bool)
    cameras = [sample.camera for sample in samples]
    if count_sides(cameras) < 2:
        return _at_random(samples, guessed, settings, features_dir)
    chosen = tuple(camera for camera in settings.held_out if camera in set(cameras))
    if not chosen or len(chosen) == len(set(cameras)):
        known = [sample for sample in samples if not sample.guessed]
        species = [sample.label.species for sample in known]
        chosen = held_out_cameras(
            [sample.camera for sample in known], species, share=settings.held_out_share, seed=settings.seed
        )
    held = np.isin(cameras, chosen)
    return RowSplit(np.flatnonzero(~held), np.flatnonzero(held & ~guessed), chosen, "by camera")


def _at_random(
    samples: Sequence[TrainingSample], guessed: np.ndarray, settings: TrainSettings, features_dir: Path
) -> RowSplit:
    small = thumbnails_of(samples, features_dir)
    alike = near_duplicates(small.pixels, [(sample.width_px, sample.height_px) for sample in small.samples])
    held = random_split(len(alike), share=settings.held_out_share, seed=settings.seed, alike=alike)
    side = dict(zip((sample.sha256 for sample in small.samples), held.tolist(), strict=True))
    train_rows = [row for row, sample in enumerate(samples) if side.get(sample.sha256) is False]
    held_rows = [row for row, sample in enumerate(samples) if side.get(sample.sha256) and not guessed[row]]
    how = "random: all images are of one camera"
    return RowSplit(np.array(train_rows, dtype=np.int64), np.array(held_rows, dtype=np.int64), (), how, small.skipped)
