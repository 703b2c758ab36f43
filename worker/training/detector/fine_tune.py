"""Tunes the trunk's last blocks together with both heads, for those who have a GPU or patience.

The blocks before them never change, so their output is cached as other features are, under the layer it comes from;
each step then runs the last blocks only. A tuning that was stopped starts again with everything cached.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from db.domain.species import NO_FISH, LabelSet
from db.progress import Progress
from worker.models.detector import build_tunable, copy_weights
from worker.models.trunks import trunk_tail
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import class_weights, make_targets
from worker.training.detector.fit import FitSettings, HeadData, HeadFit, Rows, fit_head, predict_head
from worker.training.features.cache import Features

# A tenth of a head's rate and less: the trunk is right about most things already.
LEARNING_RATE = 1.5e-4
_BACKWARD = 2.0  # a backward pass costs about two forward ones

FeaturesAt = Callable[[str], Features]
"""Gives the features of all images at a layer."""


@dataclass(frozen=True)
class FineTune:
    """How far to tune. blocks: of the trunk, from its end; epochs: at most."""

    blocks: int
    epochs: int = 5


@dataclass(frozen=True)
class TunedDetector:
    """What tuning gave: the graph of blocks and heads, how it went, where it starts; outputs on held-out rows."""

    layer: str
    fit: HeadFit
    outputs: dict[str, np.ndarray]


def tune_detector(
    trunk: Any,
    heads: tuple[Any, Any],
    samples: Sequence[TrainingSample],
    features_at: FeaturesAt,
    *,
    options: FineTune,
    learn_rows: Rows,
    stop_rows: Rows,
    held_out_rows: Rows,
    label_set: LabelSet,
    input_hw: tuple[int, int],
    fit: FitSettings,
    progress: Callable[[str], Progress],
) -> TunedDetector:
    """Tune trunk and heads in place; where no epoch is better on the stopping rows, they stay as they were.

    progress: gives what to call with (epoch, epochs) for a stage; the stage's name says how long it will take.
    Raises:
        UnknownNetwork: the trunk has not so many blocks.
    """
    layer, tail = trunk_tail(trunk, blocks=options.blocks)
    features = features_at(layer)
    tunable = build_tunable(tail, *heads, input_hw=input_hw)
    data = _data(tunable, trunk, samples, features, learn_rows, label_set, input_hw)
    told = progress(f"fine-tune, {_expected(tunable, data, learn_rows, options.epochs)}")
    settings = dataclasses.replace(
        fit, learning_rate=LEARNING_RATE, epochs=options.epochs, min_steps=0, keep_start=True
    )
    went = fit_head(tunable, data, train_rows=learn_rows, stop_rows=stop_rows, settings=settings, progress=told)
    for head in heads:
        copy_weights(tunable, head)
    outputs = predict_head(tunable, data, held_out_rows) if len(held_out_rows) else {}
    return TunedDetector(layer, went, outputs)


def _data(
    tunable: Any,
    trunk: Any,
    samples: Sequence[TrainingSample],
    features: Features,
    learn_rows: Rows,
    label_set: LabelSet,
    input_hw: tuple[int, int],
) -> HeadData:
    maps, (look_rows, look_columns) = tunable.output["heatmap"].shape, trunk.output_shape[1:3]
    targets = make_targets(
        samples,
        label_set=label_set,
        input_hw=input_hw,
        grid_hw=(int(maps[1]), int(maps[2])),
        look_hw=(int(look_rows), int(look_columns)),
    )
    return HeadData(
        features=features,
        sha256s=[sample.sha256 for sample in samples],
        targets=targets,
        species_weights=class_weights(targets.species[learn_rows], count=len(label_set)),
        row_weights=np.array([sample.weight for sample in samples], dtype=np.float32),
        input_hw=input_hw,
        no_fish=label_set.index(NO_FISH),
    )


def _expected(tunable: Any, data: HeadData, rows: Rows, epochs: int) -> str:
    """Return how long the epochs will take, measured on one batch."""
    batch = rows[:8]
    predict_head(tunable, data, batch)  # the first call traces the graph
    started = time.perf_counter()
    predict_head(tunable, data, batch)
    seconds = (time.perf_counter() - started) / len(batch) * (1.0 + _BACKWARD) * len(rows) * epochs
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"
