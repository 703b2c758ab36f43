"""Trains one head by its name on cached features: its targets, its inputs, its recipe, and what it says of others.

The detector is made of two such heads; the results table, the leak audit and the averages use any of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.species import NO_FISH, LabelSet
from db.progress import Progress
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import held_out_cameras
from worker.training.data.targets import class_weights, make_targets
from worker.training.detector.fit import FitSettings, HeadData, HeadFit, Rows, fit_head, predict_head
from worker.training.features.cache import Features

STOP_SHARE = 0.15  # of the training images, by whole cameras: enough to see a loss rise, few enough to miss them
MIN_CAMERAS_TO_STOP = 5
# One or two cameras, or one species, cannot tell when all others get worse; then the schedule is run to its end.
MIN_STOPPING_CAMERAS, MIN_STOPPING_SPECIES = 3, 2

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainedHead:
    """A head, how its training went, and what it says of the held-out images.

    outputs: by name, the rows in the order of `held_out_rows`; `species` is the one species distribution, (N, S).
    """

    name: HeadName
    head: Any
    data: HeadData
    fit: HeadFit
    outputs: Mapping[str, Floats]

    @property
    def species(self) -> Floats:
        """The species distributions of the held-out images, (N, S), each sums to 1."""
        return species_of(self.outputs)


def train_head(
    name: HeadName,
    samples: Sequence[TrainingSample],
    features: Features,
    *,
    train_rows: Rows,
    held_out_rows: Rows,
    label_set: LabelSet,
    input_hw: tuple[int, int],
    fit: FitSettings | None = None,
    epochs: int | None = None,
    views: Rows | None = None,
    progress: Progress = lambda done, total: None,
) -> TrainedHead:
    """Return a head trained on some images and what it says of others; any head of `HeadName`.

    samples: all images, each with features; train_rows, held_out_rows: places in it. The held-out images have no
    part in the training: when to stop is told by cameras taken from the training images (`spare_stopping_rows`).
    label_set: the species axis of every output. input_hw: rows, columns that the features were computed at.
    fit: the head's own recipe where not given. epochs: exactly so many on all training images, without stopping.
    views: (N, K) rows of `samples` in which each image is seen, see `worker.training.features.views`.
    Raises:
        UnknownSpecies: a label is not in the label set. TrainingError: no images to train on.
    """
    if not len(train_rows):
        raise TrainingError(f"head {name}: no images to train on")
    fit = fit or FitSettings()
    if epochs is None:
        learn_rows, stop_rows = spare_stopping_rows(samples, train_rows, seed=fit.seed)
    else:
        learn_rows, stop_rows = train_rows, train_rows[:0]
        fit = dataclasses.replace(fit, epochs=epochs, min_steps=0)
    head, data = _head_and_data(name, samples, features, learn_rows, label_set, input_hw, fit.seed)
    data = dataclasses.replace(data, views=views)
    went = fit_head(head, data, train_rows=learn_rows, stop_rows=stop_rows, settings=fit, progress=progress)
    outputs = predict_head(head, data, held_out_rows) if len(held_out_rows) else {}
    return TrainedHead(name, head, data, went, outputs)


def spare_stopping_rows(samples: Sequence[TrainingSample], train_rows: Rows, *, seed: int) -> tuple[Rows, Rows]:
    """Return the training images to learn from, and those that tell when to stop.

    The latter are whole cameras, none where there are too few of them or they show one species. A random part would
    not do: frames of a camera that is learnt from go on getting better when new cameras no longer do. Guessed labels
    tell nothing.
    """
    cameras = np.array([samples[row].camera for row in train_rows])
    known = np.array([not samples[row].guessed for row in train_rows], dtype=bool)
    if len(set(cameras[known].tolist())) < MIN_CAMERAS_TO_STOP:
        return train_rows, train_rows[:0]
    species = [samples[row].label.species for row in train_rows[known]]
    chosen = held_out_cameras(cameras[known].tolist(), species, share=STOP_SHARE, seed=seed)
    spared = np.isin(cameras, chosen)
    told_by = {samples[row].label.species for row in train_rows[spared & known]}
    if len(chosen) < MIN_STOPPING_CAMERAS or len(told_by) < MIN_STOPPING_SPECIES:
        return train_rows, train_rows[:0]
    return train_rows[~spared], train_rows[spared & known]


def species_of(outputs: Mapping[str, Floats]) -> Floats:
    """Return the species distribution among a head's outputs, (N, S)."""
    return next(value for name, value in outputs.items() if name.endswith("species"))


def average_species(distributions: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """Return the mean distribution of several heads or models, (N, S).

    >>> average_species([[[1.0, 0.0]], [[0.5, 0.5]]]).tolist()
    [[0.75, 0.25]]
    """
    mean: npt.NDArray[np.float64] = np.mean([np.asarray(one, dtype=np.float64) for one in distributions], axis=0)
    return mean


def image_sizes(samples: Sequence[TrainingSample], rows: Rows) -> tuple[tuple[int, int], ...]:
    """Return the image sizes (width, height) that occur in these rows, the order of the metadata's one-hot."""
    return tuple(sorted({(samples[row].width_px, samples[row].height_px) for row in rows}))


def size_one_hot(samples: Sequence[TrainingSample], sizes: Sequence[tuple[int, int]]) -> Floats:
    """Return each image's size as a one-hot, (N, len(sizes)); all zeros for a size that training never saw."""
    found = np.array([(sample.width_px, sample.height_px) for sample in samples])  # (N, 2)
    return np.asarray((found[:, None] == np.array(sizes)[None]).all(axis=2), dtype=np.float32)


def _head_and_data(
    name: HeadName,
    samples: Sequence[TrainingSample],
    features: Features,
    learn_rows: Rows,
    label_set: LabelSet,
    input_hw: tuple[int, int],
    seed: int,
) -> tuple[Any, HeadData]:
    from worker.models.heads import build_head
    from worker.models.keras_import import keras

    keras.utils.set_random_seed(seed)
    count, sizes = len(label_set), image_sizes(samples, learn_rows)
    head = build_head(name, feature_shape=features.shape, species=count, input_hw=input_hw, sizes=len(sizes))
    shape = head.output["heatmap"].shape if "heatmap" in head.output else (None, *features.shape)  # (B, h, w, ...)
    targets = make_targets(samples, label_set=label_set, input_hw=input_hw, grid_hw=(int(shape[1]), int(shape[2])))
    data = HeadData(
        features=features,
        sha256s=[sample.sha256 for sample in samples],
        targets=targets,
        species_weights=class_weights(targets.species[learn_rows], count=count),
        row_weights=np.array([sample.weight for sample in samples], dtype=np.float32),
        input_hw=input_hw,
        no_fish=label_set.index(NO_FISH),
        metadata=size_one_hot(samples, sizes) if name is HeadName.DENSE_METADATA else None,
    )
    return head, data
