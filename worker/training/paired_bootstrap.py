"""How sure it is that one model is better than another on the same images: a paired bootstrap. Numpy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

# With two cameras a bootstrap has three different draws, with one it has one: it says nothing of other cameras.
ENOUGH_CAMERAS = 3
DRAWS = 4_000

Floats = npt.NDArray[np.float64]


class Resampled(StrEnum):
    """What was drawn anew: it decides what the answer is about."""

    CAMERAS = "cameras"
    IMAGES = "images within cameras"


@dataclass(frozen=True)
class PairedBootstrap:
    """How much lower the second model's mean loss is than the first's, and how sure that is.

    gain: nats an image, above 0 where the second is better. low, high: the middle 90 % of the draws. sure: the share
    of the draws with a gain, 0..1. level: the share that was asked for. cameras, images: how many were compared.
    """

    gain: float
    low: float
    high: float
    sure: float
    level: float
    resampled: Resampled
    cameras: int
    images: int

    @property
    def better(self) -> bool:
        """Whether the second model is better at the level asked for."""
        return self.gain > 0 and self.sure >= self.level


def paired_bootstrap(
    first_losses: npt.ArrayLike, second_losses: npt.ArrayLike, cameras: Sequence[str], *, level: float, seed: int = 0
) -> PairedBootstrap:
    """Return how sure it is that the second model's loss is lower, on cameras like these.

    Whole cameras are drawn with replacement, because images of one camera are no independent witnesses; the mean is
    over the images of the draw. With fewer than three cameras that says nothing, so the images are drawn within
    each camera instead. That answers for these cameras only and takes neighbouring frames for independent, so half of
    the error_probability is asked for: a level of 0.9 becomes 0.95.

    first_losses, second_losses: (N,) the loss of each image. cameras: one name an image.
    Source: Efron and Tibshirani 1993, chapters 8 and 16.

    >>> paired_bootstrap([1.0, 1.2, 0.9], [0.1, 0.2, 0.3], ["a", "b", "c"], level=0.9).better
    True
    """
    gains = np.asarray(first_losses, dtype=np.float64) - np.asarray(second_losses, dtype=np.float64)
    names, places = np.unique(np.asarray(cameras), return_inverse=True)
    rng = np.random.default_rng(seed)
    resampled = what_to_draw(cameras)
    if resampled is Resampled.CAMERAS:
        draws = _draw_cameras(gains, places, rng)
    else:
        draws, level = _draw_images(gains, places, rng), (1.0 + level) / 2.0
    low, high = np.quantile(draws, [0.05, 0.95])
    return PairedBootstrap(
        gain=float(gains.mean()),
        low=float(low),
        high=float(high),
        sure=float(np.mean(draws > 0)),
        level=level,
        resampled=resampled,
        cameras=len(names),
        images=len(gains),
    )


def what_to_draw(cameras: Sequence[str]) -> Resampled:
    """Return whether there are enough cameras to draw them."""
    return Resampled.CAMERAS if len(set(cameras)) >= ENOUGH_CAMERAS else Resampled.IMAGES


def draw_rows(cameras: Sequence[str], *, draws: int, seed: int = 0) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows of each draw, as `paired_bootstrap` draws them: for figures that are no mean over images."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(np.asarray(cameras) == name) for name in sorted(set(cameras))]
    whole = what_to_draw(cameras) is Resampled.CAMERAS
    for _ in range(draws):
        if whole:
            yield np.concatenate([groups[place] for place in rng.integers(0, len(groups), size=len(groups))])
        else:
            yield np.concatenate([group[rng.integers(0, len(group), size=len(group))] for group in groups])


def _draw_cameras(gains: Floats, places: npt.NDArray[np.intp], rng: np.random.Generator) -> Floats:
    sums, counts = np.bincount(places, weights=gains), np.bincount(places)
    chosen = rng.integers(0, len(counts), size=(DRAWS, len(counts)))  # (draws, cameras)
    return np.asarray(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1), dtype=np.float64)


def _draw_images(gains: Floats, places: npt.NDArray[np.intp], rng: np.random.Generator) -> Floats:
    total = np.zeros(DRAWS)
    for place in np.unique(places):
        mine = gains[places == place]
        for start in range(0, DRAWS, 100):  # a hundred draws at a time: memory stays small with many images
            total[start : start + 100] += mine[rng.integers(0, len(mine), size=(100, len(mine)))].sum(axis=1)
    return total / len(gains)
