"""Computes features: each image goes through the trunk once, decoded by threads while the network works."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.places import Place
from db.progress import Progress, StageProgress, no_progress, of_stage
from worker.images.ahead import batches
from worker.images.labelled import LabelledContent, SkippedFile, read_labelled
from worker.inference.fixed_batch import in_fixed_batches
from worker.models.detector import fold_batch_norms
from worker.models.trunks import build_trunk, trunk_spec, weights_key
from worker.training.data.samples import TrainingSample
from worker.training.features.cache import FeatureKey, Features, Half, open_cache, write_shard
from worker.vision.letterbox import letterbox_image

_SHARD_IMAGES = 64  # 13 MB of the default trunk: what an interruption can lose
_BATCH_IMAGES = 8
_AHEAD = 4 * _BATCH_IMAGES  # decoded images that wait for the network: 22 MB at 360 x 640

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageView:
    """A way to change images before the trunk sees them. name: part of the cache's key, so it says everything.

    change: from a letterboxed image (H, W, 3) and its sample to another of the same shape. depends_on: what a
    image's change depends on besides its content, such as its boxes; it is part of the image's name in the cache.
    """

    name: str
    change: Callable[[Images, TrainingSample], Images]
    depends_on: Callable[[TrainingSample], str] = lambda sample: ""


@dataclass(frozen=True)
class ComputedFeatures:
    """What `compute_features` gives back: the features held, and the images that have none."""

    features: Features
    unreadable: tuple[SkippedFile, ...]


@dataclass(frozen=True)
class FeatureSource:
    """Where the features of one training come from: one trunk at one size, cached in one folder."""

    trunk: str
    weights: str | Path
    input_hw: tuple[int, int]
    features_dir: Path
    progress: StageProgress

    def compute(
        self, samples: Sequence[TrainingSample], *, layer: str | None = None, view: ImageView | None = None
    ) -> ComputedFeatures:
        """Return the features of images at a layer, seen through a view; see `compute_features`."""
        stage = " ".join(filter(None, ["features", f"at {layer}" if layer else "", view.name if view else ""]))
        return compute_features(
            samples,
            trunk=self.trunk,
            weights=self.weights,
            input_hw=self.input_hw,
            features_dir=self.features_dir,
            layer=layer,
            view=view,
            progress=of_stage(self.progress, stage),
        )


def compute_features(
    samples: Sequence[TrainingSample | Place],
    *,
    trunk: str,
    weights: str | Path,
    input_hw: tuple[int, int],
    features_dir: Path,
    layer: str | None = None,
    view: ImageView | None = None,
    progress: Progress = no_progress,
) -> ComputedFeatures:
    """Return the features of every readable image, computing only those not cached yet.

    samples: places where nobody said yet what is there; only a view needs to know that.
    view: how the images are changed first; not at all where none is given.
    progress: called with (done, total) images. Interrupted, it goes on where it stopped.
    Raises:
        UnknownNetwork, WeightsError: the trunk cannot be built. TrainingError: the cache cannot be written.
    """
    layer = layer or trunk_spec(trunk).layer
    key = FeatureKey(trunk, weights_key(trunk, weights), layer, input_hw, view.name if view else "")
    folder = features_dir / key.folder_name
    wanted = {_entry(sample, view): sample for sample in samples}
    held = open_cache(folder)
    missing = [sample for entry, sample in wanted.items() if entry not in held]
    progress(len(wanted) - len(missing), len(wanted))
    unreadable: list[SkippedFile] = []
    shape = next((shard.shape for shard, _row in held.values()), None)
    if missing or shape is None:
        network = fold_batch_norms(build_trunk(trunk, input_hw=input_hw, weights=weights, layer=layer))
        network.compile(jit_compile=False)  # XLA is slower on CPUs here
        shape = tuple(network.output_shape[1:])
        unreadable = _compute_missing(missing, network, folder, input_hw, view, len(wanted), progress)
        held = open_cache(folder)
    rows = {sample.sha256: held[entry] for entry, sample in wanted.items() if entry in held}
    return ComputedFeatures(Features(shape, rows), tuple(unreadable))


def _compute_missing(
    missing: Sequence[TrainingSample | Place],
    network: Any,
    folder: Path,
    input_hw: tuple[int, int],
    view: ImageView | None,
    total: int,
    progress: Progress,
) -> list[SkippedFile]:
    run, done = uuid.uuid4().hex[:12], total - len(missing)
    unreadable: list[SkippedFile] = []
    names: list[str] = []
    parts: list[Half] = []
    number = 0
    prepare = partial(_prepared, input_hw=input_hw, view=view)
    images = read_labelled(missing, prepare, on_skipped=unreadable.append, waiting=_AHEAD)
    for batch in batches(images, _BATCH_IMAGES):
        parts.append(_forward(network, np.stack([pixels for _sample, pixels in batch])))
        names += [_entry(sample, view) for sample, _pixels in batch]
        done += len(batch)
        progress(done + len(unreadable), total)
        if len(names) >= _SHARD_IMAGES:
            write_shard(folder, f"{run}-{number:05d}", names, np.concatenate(parts))
            number, names, parts = number + 1, [], []
    if names:
        write_shard(folder, f"{run}-{number:05d}", names, np.concatenate(parts))
    progress(total, total)
    return unreadable


def _forward(network: Any, images: Images) -> Half:
    """Return the features of up to a batch of images."""
    said = in_fixed_batches(lambda batch: {"features": network.predict_on_batch(batch)}, images, size=_BATCH_IMAGES)
    # float16 ends at 65504; a feature beyond it would become infinite and poison the training.
    return np.asarray(np.clip(said["features"], -65504.0, 65504.0), dtype=np.float16)


def _entry(sample: TrainingSample | Place, view: ImageView | None) -> str:
    """Return an image's name in the cache."""
    if view is None:
        return sample.sha256
    assert isinstance(sample, TrainingSample), "a view depends on the labels, so a place has none"
    depends_on = view.depends_on(sample)
    return f"{sample.sha256} {depends_on}" if depends_on else sample.sha256


def _prepared(
    sample: TrainingSample | Place, content: LabelledContent, *, input_hw: tuple[int, int], view: ImageView | None
) -> Images:
    pixels, _letterbox = letterbox_image(content.decode(at_least_hw=input_hw).pixels, into_hw=input_hw)
    if view is None:
        return np.asarray(pixels, dtype=np.uint8)
    assert isinstance(sample, TrainingSample), "a view changes the boxes with the pixels, and a place has none"
    return view.change(pixels, sample)
