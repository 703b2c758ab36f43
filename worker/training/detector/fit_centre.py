"""Fits the centre detector's heads: each batch is drawn anew and goes through the frozen trunk once.

The centre head learns from each batch as it comes; the lesson's heads, which need more steps, from a bank of the latest
windows' features.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.species import NO_FISH, LabelSet
from db.progress import Progress, no_progress
from worker.training.detector.centre_fit import CentreFit
from worker.training.detector.centre_loss import centre_loss, sides_loss
from worker.training.detector.draw_batches import BatchSource, WindowBatch, stack
from worker.training.detector.fit import cell_loss
from worker.training.detector.one_cycle import compile_for_cycle, cycle_step
from worker.training.detector.window_bank import BankBatch, WindowBank

Floats = npt.NDArray[np.float32]

_DEVIATION_BATCHES = 4
_MIN_DEVIATION = 1e-3
_SIDES_WEIGHT = 2.0
_FISH_CELL_WEIGHT = 8.0  # fish cover about a sixty-fourth of an image
_SPECIES_LOSS_WEIGHTS = {"box": 0.002, "location_map": 0.5, "box_species": 1.0, "heatmap": 2.0, "heatmap_species": 1.0}
_CENTRE_LOSS_WEIGHTS = {"centres": 1.0, "ltrb_offsets": _SIDES_WEIGHT}
LOSS_WEIGHTS = {**_CENTRE_LOSS_WEIGHTS, **_SPECIES_LOSS_WEIGHTS}
_HUBER_DELTA_PX = 20.0  # squared up to here, linear beyond: one fish at the far side must not outweigh a batch
_LABEL_SMOOTHING = 0.05


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


@dataclass(frozen=True)
class FittedCentre:
    """Heads that learnt from the training cameras alone, and those that serve: their centre head saw every camera."""

    evaluated: CentreHeads
    served: CentreHeads


def fit_centre(
    source: BatchSource,
    trunk: Any,
    *,
    fit: CentreFit,
    species_weights: Floats,
    beside: BatchSource | None = None,
    progress: Progress = no_progress,
) -> FittedCentre:
    """Return all heads trained on what the source draws. trunk: from `build_trunk_levels`, folded or not.

    species_weights: (S,), what a window of each species counts. beside: the held-out images. A second centre head
    learns from both sources' windows at once: the trunk, which costs most, sees each window once for both heads.
    """
    from worker.models.centre_detector import build_species_heads
    from worker.models.keras_import import keras

    started = time.perf_counter()
    deviations = channel_deviations(source, trunk)
    species_heads = _compiled_heads(
        build_species_heads([len(own) for own in deviations], deviations, species=len(species_weights)),
        no_fish=source.label_set.index(NO_FISH),
    )
    bank = WindowBank(seed=fit.seed)
    steps = fit.steps(len(source.rows) + (len(beside.rows) if beside is not None else 0))
    keras.utils.set_random_seed(fit.seed)
    centre = _compiled_centre(deviations)
    serving = _compiled_centre(deviations) if beside is not None else None
    losses: list[float] = []
    for step, (batch, more) in enumerate(_drawn(source, beside, steps), start=1):
        levels, levels_beside = _levels(trunk, batch, more)
        losses.append(cycle_step(centre, _centre_batch(levels, batch), steps=steps, peak=fit.peak_rate))
        if serving is not None and more is not None:
            every = [np.concatenate(both) for both in zip(levels, levels_beside, strict=True)]
            cycle_step(serving, _centre_batch(every, stack([batch, more])), steps=steps, peak=fit.peak_rate)
        bank.add(levels[1:], batch)
        drawn = _species_batch(bank.draw(fit.species_batch), species_weights)
        cycle_step(species_heads, drawn, steps=steps, peak=fit.species_peak_rate)
        progress(step, steps)
    tenths = tuple(round(float(part.mean()), 4) for part in np.array_split(losses, 10) if len(part))
    heads = CentreHeads(centre, species_heads, deviations, steps, tenths, time.perf_counter() - started)
    return FittedCentre(heads, heads if serving is None else dataclasses.replace(heads, centre=serving))


def _drawn(
    source: BatchSource, beside: BatchSource | None, steps: int
) -> Iterator[tuple[WindowBatch, WindowBatch | None]]:
    """Yield a batch of each source, step by step."""
    if beside is None:
        yield from ((batch, None) for batch in source.batches(steps))
    else:
        yield from zip(source.batches(steps), beside.batches(steps), strict=True)


def _levels(trunk: Any, batch: WindowBatch, more: WindowBatch | None) -> tuple[list[Floats], list[Floats]]:
    """Return the trunk's features of a batch's windows and of those beside, from one call."""
    if more is None:
        return list(trunk.predict_on_batch(batch.windows)), []
    count = len(batch.windows)
    both = trunk.predict_on_batch(np.concatenate([batch.windows, more.windows]))
    return [level[:count] for level in both], [level[count:] for level in both]


def _compiled_centre(deviations: tuple[tuple[float, ...], ...]) -> Any:
    from worker.models.centre_detector import build_centre_head

    centre = build_centre_head([len(own) for own in deviations], deviations)
    compile_for_cycle(centre, loss=_centre_losses(), loss_weights=_CENTRE_LOSS_WEIGHTS)
    return centre


def losses_of(label_set: LabelSet) -> dict[str, Any]:
    """Return the loss of every output of a whole detector, by name."""
    return {**_centre_losses(), **_species_losses(label_set.index(NO_FISH))}


def _centre_losses() -> dict[str, Any]:
    return {"centres": centre_loss(), "ltrb_offsets": sides_loss()}


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


def _compiled_heads(heads: Any, *, no_fish: int) -> Any:
    compile_for_cycle(heads, loss=_species_losses(no_fish), loss_weights=_SPECIES_LOSS_WEIGHTS)
    return heads


def _species_losses(no_fish: int) -> dict[str, Any]:
    from worker.models.keras_import import keras

    named = keras.losses.CategoricalCrossentropy(label_smoothing=_LABEL_SMOOTHING)
    return {
        "box": keras.losses.Huber(delta=_HUBER_DELTA_PX),
        "location_map": keras.losses.CategoricalCrossentropy(),
        "box_species": named,
        "heatmap": cell_loss(no_fish=no_fish, fish_cell_weight=_FISH_CELL_WEIGHT),
        "heatmap_species": named,
    }


def _centre_batch(levels: list[Floats], batch: WindowBatch) -> tuple[Any, Any, Any]:
    return levels, {"centres": batch.centres, "ltrb_offsets": batch.sides}, None


def _species_batch(drawn: BankBatch, species_weights: Floats) -> tuple[Any, Any, Any]:
    return list(drawn.levels), *species_truth(drawn.taught, species_weights)


def species_truth(taught: WindowBatch, species_weights: Floats) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the species heads are to say of windows, and what each window counts, by output."""
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
    return truth, weights
