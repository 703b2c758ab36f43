"""Fits the centre detector's heads: each batch is drawn anew and goes through the frozen trunk once.

The centre head learns from each batch as it comes; the lesson's heads, which need more steps, from a bank of the latest
windows' features.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.species import NO_FISH
from worker.training.detector.centre_loss import centre_loss, sides_loss
from worker.training.detector.draw_batches import BatchSource, WindowBatch
from worker.training.detector.fit import cell_loss
from worker.training.detector.one_cycle import compile_for_cycle, cycle_step
from worker.training.detector.window_bank import BankBatch, WindowBank

Floats = npt.NDArray[np.float32]
StepProgress = Callable[[int, int], None]

_DEVIATION_BATCHES = 4
_MIN_DEVIATION = 1e-3
_SIDES_WEIGHT = 2.0
_FISH_CELL_WEIGHT = 8.0  # fish cover about a sixty-fourth of an image
_SPECIES_LOSS_WEIGHTS = {"box": 0.002, "location_map": 0.5, "box_species": 1.0, "heatmap": 2.0, "heatmap_species": 1.0}
_HUBER_DELTA_PX = 20.0  # squared up to here, linear beyond: one fish at the far side must not outweigh a batch
_LABEL_SMOOTHING = 0.05


@dataclass(frozen=True)
class CentreFit:
    """How the centre detector is trained.

    epochs: times through the images; at least min_steps batches, at most max_steps: few images are seen more often, and
    thousands need not each be. peak_rate, species_peak_rate: the highest learning rates. species_batch: windows of the
    bank that the lesson's heads learn from at every step.
    """

    epochs: int = 13
    batch_size: int = 8
    min_steps: int = 220
    max_steps: int = 2000
    peak_rate: float = 1.5e-3
    species_peak_rate: float = 2e-3
    species_batch: int = 16
    seed: int = 0

    def steps(self, images: int) -> int:
        """Return how many batches a training on so many images takes.

        >>> CentreFit().steps(20), CentreFit().steps(150), CentreFit().steps(3800)
        (220, 244, 2000)
        """
        return int(np.clip(-(-images * self.epochs // self.batch_size), self.min_steps, self.max_steps))


@dataclass(frozen=True)
class CentreHeads:
    """The trained heads (Keras models), what the trunk's channels are divided by, and how it went.

    losses: of the centre head, the mean of each tenth of the steps. There is no epoch to choose: the last weights stay.
    """

    centre: Any
    species_heads: Any
    deviations: tuple[tuple[float, ...], ...]
    steps: int
    losses: tuple[float, ...]
    seconds: float


def fit_centre(
    source: BatchSource,
    trunk: Any,
    *,
    fit: CentreFit,
    species_weights: Floats,
    progress: StepProgress = lambda done, total: None,
) -> CentreHeads:
    """Return heads trained on what the source draws. trunk: from `build_trunk_levels`, folded or not.

    species_weights: (S,), what a window of each species counts.
    """
    from worker.models.centre_detector import build_centre_head, build_species_heads
    from worker.models.keras_import import keras

    started = time.perf_counter()
    keras.utils.set_random_seed(fit.seed)
    steps = fit.steps(len(source.rows))
    deviations = channel_deviations(source, trunk)
    channels = [len(own) for own in deviations]
    centre = build_centre_head(channels, deviations)
    heads = build_species_heads(channels, deviations, species=len(species_weights))
    _compile(centre, heads, no_fish=source.label_set.index(NO_FISH))
    bank, losses = WindowBank(seed=fit.seed), []
    for step, batch in enumerate(source.batches(steps), start=1):
        levels = trunk.predict_on_batch(batch.windows)
        losses.append(cycle_step(centre, _centre_batch(levels, batch), steps=steps, peak=fit.peak_rate))
        bank.add(levels[1:], batch)
        drawn = bank.draw(fit.species_batch)
        cycle_step(heads, _species_batch(drawn, species_weights), steps=steps, peak=fit.species_peak_rate)
        progress(step, steps)
    tenths = tuple(round(float(part.mean()), 4) for part in np.array_split(losses, 10) if len(part))
    return CentreHeads(centre, heads, deviations, steps, tenths, time.perf_counter() - started)


def channel_deviations(source: BatchSource, trunk: Any) -> tuple[tuple[float, ...], ...]:
    """Return the deviation of each channel of the trunk's levels, over a few batches as training sees them."""
    rng = np.random.default_rng([source.seed, 2])
    batches = []
    for number in range(_DEVIATION_BATCHES):
        rows = source.rows[rng.integers(len(source.rows), size=source.batch_size)]
        batches.append(trunk.predict_on_batch(source.batch(rows, -number - 1 & 0xFFFF).windows))
    return tuple(
        tuple(float(max(one, _MIN_DEVIATION)) for one in np.concatenate(level).std(axis=(0, 1, 2)))
        for level in zip(*batches, strict=True)
    )


def _compile(centre: Any, heads: Any, *, no_fish: int) -> None:
    from worker.models.keras_import import keras

    compile_for_cycle(
        centre,
        loss={"centres": centre_loss(), "ltrb_offsets": sides_loss()},
        loss_weights={"centres": 1.0, "ltrb_offsets": _SIDES_WEIGHT},
    )
    named = keras.losses.CategoricalCrossentropy(label_smoothing=_LABEL_SMOOTHING)
    losses = {
        "box": keras.losses.Huber(delta=_HUBER_DELTA_PX),
        "location_map": keras.losses.CategoricalCrossentropy(),
        "box_species": named,
        "heatmap": cell_loss(no_fish=no_fish, fish_cell_weight=_FISH_CELL_WEIGHT),
        "heatmap_species": named,
    }
    compile_for_cycle(heads, loss=losses, loss_weights=_SPECIES_LOSS_WEIGHTS)


def _centre_batch(levels: list[Floats], batch: WindowBatch) -> tuple[Any, Any, Any]:
    return levels, {"centres": batch.centres, "ltrb_offsets": batch.sides}, None


def _species_batch(drawn: BankBatch, species_weights: Floats) -> tuple[Any, Any, Any]:
    taught = drawn.taught
    one_hot = np.eye(len(species_weights), dtype=np.float32)[taught.species]
    truth = {
        "box": taught.boxes,
        "location_map": taught.location,
        "box_species": one_hot,
        "heatmap": taught.cells,
        "heatmap_species": one_hot,
    }
    boxed, named = taught.box_weights * taught.counts, species_weights[taught.species] * taught.sure * taught.counts
    weights = {
        "box": boxed,
        "location_map": boxed,
        "box_species": named,
        "heatmap": taught.counts,
        "heatmap_species": named,
    }
    return list(drawn.levels), truth, weights
