"""Measures what turning every fish head-left would gain the second stage, were its head and tail known.

`python -m bench.head_left --fleet FLEET` fits the frozen second stage twice on the same crops of a sample fleet: on
views in all rotations, as it is trained and served, and on views turned by the fleet's true head and tail points, which
no model of ours knows. The latter is the most that a learnt orientation could give.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.heads_table import fleet_samples
from worker.models.crop_classifier import build_pooled_trunk
from worker.models.detector import fold_batch_norms
from worker.training.crops.augment import PLAIN, CropView, draw_view
from worker.training.crops.calibrate import cross_fitted, log_prior_shift, species_figures
from worker.training.crops.features import Canvases, CropShape, cut_canvases
from worker.training.crops.samples import CropSample, crop_samples
from worker.training.crops.settings import CropTrainSettings
from worker.training.crops.train import balance_weights
from worker.training.data.splits import camera_folds, held_out_cameras
from worker.training.probe import fit_probe

_BATCH = 32
_JITTER_DEG = 8.0  # nobody marks a head and a tail to the degree

View = Callable[[CropSample, int], CropView]
Features = Callable[[Sequence[CropSample], View, int], npt.NDArray[np.float32]]


def main() -> None:
    """Print both fits' figures on cameras that neither has seen."""
    asked = _arguments()
    images = fleet_samples(asked.fleet, asked.images)
    held = set(
        held_out_cameras([one.camera for one in images], [one.label.species for one in images], share=0.2, seed=0)
    )
    settings = CropTrainSettings(held_out=tuple(sorted(held)))
    samples = crop_samples(images).samples
    shape = CropShape(settings.crop_px, settings.margin)
    canvases = cut_canvases(samples, shape=shape, cache_dir=asked.home / "features")
    learn = [sample for sample in samples if sample.camera not in held]
    evaluate = [sample for sample in samples if sample.camera in held]
    print(f"{len(learn)} crops to learn from, {len(evaluate)} of {len(held)} cameras never seen")
    features = _features_of(canvases, settings)
    for title, view in (("all rotations", _any_way), ("head left", _head_left)):
        print(title, _figures(learn, evaluate, view, features, views=asked.views, settings=settings), flush=True)


def head_left_turn(head_px: tuple[float, float], tail_px: tuple[float, float]) -> float:
    """Return by how many degrees, counter-clockwise, an image is turned so that the fish looks left.

    >>> head_left_turn((0, 0), (10, 0)), head_left_turn((5, 0), (5, 10))
    (0.0, 90.0)
    """
    # Rows grow downwards, so a counter-clockwise turn of the image is a clockwise one of these angles.
    return math.degrees(math.atan2(tail_px[1] - head_px[1], tail_px[0] - head_px[0])) % 360.0


def _any_way(sample: CropSample, number: int) -> CropView:
    return draw_view(_rng(sample, number)) if number else PLAIN


def _head_left(sample: CropSample, number: int) -> CropView:
    rng = _rng(sample, number + 1_000)
    turn = rng.uniform(0.0, 360.0)  # of what has no head
    if sample.head_px is not None and sample.tail_px is not None:
        turn = head_left_turn(sample.head_px, sample.tail_px) + (rng.normal(0.0, _JITTER_DEG) if number else 0.0)
    return dataclasses.replace(_any_way(sample, number), turn_deg=turn % 360.0, mirrored=False)


def _rng(sample: CropSample, number: int) -> np.random.Generator:
    return np.random.default_rng(int(sample.key[:15], 16) + number)


def _features_of(canvases: Canvases, settings: CropTrainSettings) -> Features:
    trunk = build_pooled_trunk(settings.trunk, crop_px=settings.crop_px, weights=settings.weights)
    network = fold_batch_norms(trunk)
    network.compile(jit_compile=False)

    def features(samples: Sequence[CropSample], view: View, views: int) -> npt.NDArray[np.float32]:
        wanted = [(sample, number) for sample in samples for number in range(views)]
        parts = []
        for start in range(0, len(wanted), _BATCH):
            shown = [canvases.show(sample, view(sample, number)) for sample, number in wanted[start : start + _BATCH]]
            padded = np.zeros((_BATCH, *shown[0].shape), dtype=np.uint8)
            padded[: len(shown)] = shown
            parts.append(np.asarray(network.predict_on_batch(padded))[: len(shown)])
        return np.concatenate(parts)  # (N * views, C)

    return features


def _figures(
    learn: Sequence[CropSample],
    evaluate: Sequence[CropSample],
    view: View,
    features: Features,
    *,
    views: int,
    settings: CropTrainSettings,
) -> str:
    species, truth = _species(learn, settings), _species(evaluate, settings)
    class_weights = balance_weights(learn, settings)
    cameras = [sample.camera for sample in learn]
    probe = fit_probe(
        features(learn, view, views),
        np.repeat(species, views),
        np.repeat(class_weights[species], views).astype(np.float32),
        count=len(settings.label_set),
        folds=[np.repeat(np.isin(cameras, fold), views) for fold in camera_folds(cameras, k=3, seed=settings.seed)],
    )
    shift = log_prior_shift(species, np.ones(len(species)), class_weights)
    logits = probe.logits(features(evaluate, view, 1))
    answers = cross_fitted(logits, truth, [sample.camera for sample in evaluate], turns=1, shift=shift)
    return ", ".join(f"{name} {value:.3f}" for name, value in species_figures(truth, answers).items())


def _species(samples: Sequence[CropSample], settings: CropTrainSettings) -> npt.NDArray[np.int64]:
    return np.array([settings.label_set.index(sample.species) for sample in samples], dtype=np.int64)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleet", type=Path, required=True, help="a sample fleet with its truth.json")
    parser.add_argument("--home", type=Path, default=Path("build/head-left"), help="where crops are cached")
    parser.add_argument("--images", type=int, default=1_267, help="images; of a larger fleet so many at random")
    parser.add_argument("--views", type=int, default=2, help="of each crop to learn from")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
