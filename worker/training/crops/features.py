"""The second stage's caches: each crop is cut once from its image, each view of it goes through the trunk once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.progress import Progress, no_progress
from worker.images.ahead import ahead
from worker.images.labelled import LabelledContent, SkippedFile, read_labelled
from worker.inference.fixed_batch import in_fixed_batches
from worker.models.crop_classifier import build_pooled_trunk
from worker.models.detector import fold_batch_norms
from worker.models.trunks import weights_key
from worker.training.crops.augment import PLAIN, CropView, canvas_side, cut_canvas, draw_view, show_crop
from worker.training.crops.samples import CropSample
from worker.training.features.cache import Shard, open_cache, write_shard
from worker.vision.crops import quarter_turns

_LAYOUT = 1  # raise when cutting, drawing views or preprocessing changes what a row means
_SHARD_CROPS = 128  # 18 MB of canvases: what an interruption can lose
_SHARD_VIEWS = 1024
_BATCH_VIEWS = 32

Pixels = npt.NDArray[np.uint8]
Rows = dict[str, tuple[Shard, int]]


@dataclass(frozen=True)
class CropShape:
    """How crops are cut. crop_px: side of the network's input; margin: share of a box's longer side around it."""

    crop_px: int
    margin: float


@dataclass(frozen=True)
class Canvases:
    """The crops with their surroundings, on the disk, and the images that gave none."""

    shape: CropShape
    rows: Rows
    unreadable: tuple[SkippedFile, ...]

    def __contains__(self, sample: CropSample) -> bool:
        return sample.key in self.rows

    def show(self, sample: CropSample, view: CropView = PLAIN) -> Pixels:
        """Return a crop as a view shows it, (P, P, 3)."""
        shard, row = self.rows[sample.key]
        return show_crop(
            np.asarray(shard[row]),
            sample.box,
            view,
            image_px=(sample.width_px, sample.height_px),
            margin=self.shape.margin,
            crop_px=self.shape.crop_px,
        )


def cut_canvases(
    samples: Sequence[CropSample],
    *,
    shape: CropShape,
    cache_dir: Path,
    progress: Progress = no_progress,
) -> Canvases:
    """Return every crop of a readable image, cutting only those not cached yet; each image is decoded once.

    Raises:
        TrainingError: the cache cannot be written.
    """
    folder = cache_dir / f"crops-{shape.crop_px}-{_digest(shape)}"
    held = open_cache(folder)
    missing: dict[str, list[CropSample]] = {}
    for sample in samples:
        if sample.key not in held:
            missing.setdefault(sample.sha256, []).append(sample)
    total, done = len(samples), len(samples) - sum(len(crops) for crops in missing.values())
    unreadable: list[SkippedFile] = []
    names: list[str] = []
    rows: list[Pixels] = []
    run = _Run(folder)
    progress(done, total)
    read = read_labelled(
        [crops[0] for crops in missing.values()],
        lambda first, content: _cut(content, missing[first.sha256], shape),
        on_skipped=unreadable.append,
    )
    for first, cut in read:
        names += [crop.key for crop in missing[first.sha256]]
        rows += cut
        done += len(cut)
        if len(names) >= _SHARD_CROPS:
            run.write(names, np.stack(rows))
            names, rows = [], []
        progress(done, total)
    if names:
        run.write(names, np.stack(rows))
    progress(total, total)
    held = open_cache(folder) if missing else held
    wanted = {sample.key for sample in samples}
    return Canvases(shape, {key: place for key, place in held.items() if key in wanted}, tuple(unreadable))


def view_features(
    samples: Sequence[CropSample],
    canvases: Canvases,
    *,
    views: int,
    trunk: str,
    weights: str | Path,
    cache_dir: Path,
    progress: Progress = no_progress,
) -> npt.NDArray[np.float32]:
    """Return the pooled trunk features of each crop's first views, (N, views, C): as served, then drawn at random.

    A crop's views are drawn from its own name: the same crop has the same views in every data set.
    """
    wanted = [(f"{sample.key}:{number}", sample, number) for sample in samples for number in range(views)]
    features = _features(
        wanted,
        lambda sample, number: canvases.show(sample, _nth_view(sample, number)),
        kind="views",
        shape=canvases.shape,
        trunk=trunk,
        weights=weights,
        cache_dir=cache_dir,
        progress=progress,
    )
    return features.reshape(len(samples), views, -1)


def turn_features(
    samples: Sequence[CropSample],
    canvases: Canvases,
    *,
    turns: int,
    trunk: str,
    weights: str | Path,
    cache_dir: Path,
    progress: Progress = no_progress,
) -> npt.NDArray[np.float32]:
    """Return the pooled trunk features of each crop's quarter turns as it is served, (N, turns, C)."""
    wanted = [(f"{sample.key}:{number}", sample, number) for sample in samples for number in range(turns)]
    features = _features(
        wanted,
        lambda sample, number: quarter_turns(canvases.show(sample)[None], number + 1)[number],
        kind="turns",
        shape=canvases.shape,
        trunk=trunk,
        weights=weights,
        cache_dir=cache_dir,
        progress=progress,
    )
    return features.reshape(len(samples), turns, -1)


def frozen_trunk(trunk: str, *, crop_px: int, weights: str | Path) -> Any:
    """Return a trunk as it came, from crops to its pooled features."""
    return build_pooled_trunk(trunk, crop_px=crop_px, weights=weights)


def _features(
    wanted: Sequence[tuple[str, CropSample, int]],
    show: Callable[[CropSample, int], Pixels],
    *,
    kind: str,
    shape: CropShape,
    trunk: str,
    weights: str | Path,
    cache_dir: Path,
    progress: Progress,
) -> npt.NDArray[np.float32]:
    folder = cache_dir / f"crop-{kind}-{trunk}-{_digest((shape, trunk, weights_key(trunk, weights)))}"
    held = open_cache(folder)
    missing = [row for row in wanted if row[0] not in held]
    progress(len(wanted) - len(missing), len(wanted))
    if missing:
        network = fold_batch_norms(build_pooled_trunk(trunk, crop_px=shape.crop_px, weights=weights))
        network.compile(jit_compile=False)  # XLA is slower on CPUs here
        _compute(missing, show, network, folder, len(wanted), progress)
        held = open_cache(folder)
    return np.stack([held[name][0][held[name][1]] for name, _, _ in wanted]).astype(np.float32)


def _compute(
    missing: Sequence[tuple[str, CropSample, int]],
    show: Callable[[CropSample, int], Pixels],
    network: Any,
    folder: Path,
    total: int,
    progress: Progress,
) -> None:
    run, done = _Run(folder), total - len(missing)
    names: list[str] = []
    parts: list[npt.NDArray[np.float16]] = []
    batches = [missing[start : start + _BATCH_VIEWS] for start in range(0, len(missing), _BATCH_VIEWS)]
    for batch, crops in ahead(lambda batch: (batch, np.stack([show(crop, n) for _, crop, n in batch])), batches):
        parts.append(_forward(network, crops))
        names += [name for name, _, _ in batch]
        done += len(batch)
        if len(names) >= _SHARD_VIEWS:
            run.write(names, np.concatenate(parts))
            names, parts = [], []
        progress(done, total)
    if names:
        run.write(names, np.concatenate(parts))


def _forward(network: Any, crops: Pixels) -> npt.NDArray[np.float16]:
    """Return the features of up to a batch of crops."""
    said = in_fixed_batches(lambda batch: {"features": network.predict_on_batch(batch)}, crops, size=_BATCH_VIEWS)
    return np.asarray(np.clip(said["features"], -65504.0, 65504.0), dtype=np.float16)


def _nth_view(sample: CropSample, number: int) -> CropView:
    return draw_view(np.random.default_rng(int(sample.key[:15], 16) + number)) if number else PLAIN


def _cut(content: LabelledContent, crops: Sequence[CropSample], shape: CropShape) -> list[Pixels]:
    """Return the canvases of one image's crops."""
    pixels = content.decode().pixels
    side_px = canvas_side(shape.crop_px, margin=shape.margin)
    return [cut_canvas(pixels, crop.box, side_px=side_px) for crop in crops]


class _Run:
    """Writes the shards of one run, under names that no other run has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name, self._number = uuid.uuid4().hex[:12], 0

    def write(self, names: Sequence[str], rows: npt.NDArray[Any]) -> None:
        write_shard(self._folder, f"{self._name}-{self._number:05d}", names, rows)
        self._number += 1


def _digest(parts: object) -> str:
    return hashlib.sha256(f"{_LAYOUT} {parts!r}".encode()).hexdigest()[:12]
