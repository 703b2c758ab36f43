"""Fits one head on cached features: AdamW, cosine schedule, early stopping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db.progress import Progress, no_progress
from worker.training.data.targets import UNKNOWN_CELL, Targets, flip_boxes, ltrb_offsets
from worker.training.features.cache import Features
from worker.training.optimiser import compile_adamw, train_step

Rows = npt.NDArray[np.int64]
_MAX_EPOCHS = 40
_MIN_PATIENCE = 5
_NOMINAL_WIDTH_PX = 640  # the input width that box_loss_weight and the next figure are given for
_NOT_SERVED = ("heatmap", "location_map")
_HUBER_DELTA_PX = 20.0  # squared up to here, linear beyond: one fish at the far side must not outweigh a batch


@dataclass(frozen=True)
class FitSettings:
    """How a head is trained.

    epochs: over all images; with few images more of them (at most 40), until there were min_steps batches: 500
    images need about as many steps as 800 to learn where a fish is. It stops early after half of them in vain.
    box_loss_weight: the lesson's 0.001 for squared pixels; Huber needs a little more. location_loss_weight: of
    showing the box head where the largest fish is. cell_loss_weight: of the
    supervision of single heat-map cells by boxes, 0 to leave it out. fish_cell_weight: fish cover about a
    sixty-fourth of an image, so a cell with fish counts this much more than one without. sides_loss_weight: of the
    box that each cell with fish gives. keep_start: the weights at the start stay where no epoch is better.
    """

    epochs: int = 10
    min_steps: int = 330
    batch_size: int = 32
    seed: int = 0
    learning_rate: float = 2e-3
    box_loss_weight: float = 0.002
    location_loss_weight: float = 0.5
    cell_loss_weight: float = 2.0
    fish_cell_weight: float = 8.0
    sides_loss_weight: float = 1.0
    label_smoothing: float = 0.05
    flip: bool = True
    keep_start: bool = False


@dataclass(frozen=True)
class HeadData:
    """What a head is trained on: features by image, targets of all images, a weight a species and an image.

    metadata: (N, sizes) of `dense_metadata`. views: (N, K), the rows in which each image is seen; in every epoch one
    of them is drawn.
    """

    features: Features
    sha256s: Sequence[str]
    targets: Targets
    species_weights: npt.NDArray[np.float32]
    row_weights: npt.NDArray[np.float32]
    input_hw: tuple[int, int]
    no_fish: int
    metadata: npt.NDArray[np.float32] | None = None
    views: Rows | None = None


@dataclass(frozen=True)
class HeadFit:
    """How the training of a head went. stop_loss: the best one on the stopping rows, NaN where there were none."""

    epochs_run: int
    best_epoch: int
    stop_loss: float
    seconds: float


def fit_head(
    head: Any,
    data: HeadData,
    *,
    train_rows: Rows,
    stop_rows: Rows,
    settings: FitSettings,
    progress: Progress = no_progress,
) -> HeadFit:
    """Train a head in place and return how it went; its weights are those of the best epoch.

    stop_rows: images that tell when to stop; without any all epochs are run and the last weights stay.
    """
    started = time.perf_counter()
    rng = np.random.default_rng(settings.seed)
    batch_size = min(settings.batch_size, len(train_rows))
    steps_each = len(train_rows) // batch_size
    epochs = max(settings.epochs, min(-(-settings.min_steps // steps_each), _MAX_EPOCHS))
    patience = max(_MIN_PATIENCE, epochs // 2)
    steps = epochs * steps_each
    _compile(head, data, settings)
    best_loss, best_epoch, best_weights, epoch = float("inf"), 0, None, 0
    if settings.keep_start and len(stop_rows):
        best_loss, best_weights = _loss(head, data, stop_rows, settings), head.get_weights()
    for epoch in range(1, epochs + 1):
        rows = _seen_rows(data, rng.permutation(train_rows), rng)
        head.reset_metrics()
        for batch in _batches(head, data, rows, batch_size, rng if settings.flip else None):
            train_step(head, batch, steps=steps, learning_rate=settings.learning_rate)
        # A loss on a few cameras is lowest by chance before anything is learnt: the first third is never kept.
        if len(stop_rows) and epoch * 3 > epochs:
            loss = _loss(head, data, stop_rows, settings)
            if loss < best_loss:
                best_loss, best_epoch, best_weights = loss, epoch, head.get_weights()
        progress(epoch, epochs)
        if best_weights is not None and epoch - best_epoch >= patience:
            break
    if best_weights is not None:
        head.set_weights(best_weights)
    stop_loss = best_loss if best_weights is not None else float("nan")
    return HeadFit(epoch, best_epoch if best_weights is not None else epoch, stop_loss, time.perf_counter() - started)


def predict_head(head: Any, data: HeadData, rows: Rows, *, batch_size: int = 32) -> dict[str, npt.NDArray[np.float32]]:
    """Return the head's outputs by name for these images, in this order."""
    parts = [head.predict_on_batch(_inputs(head, data, chunk)) for chunk in _chunks(rows, batch_size)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _seen_rows(data: HeadData, rows: Rows, rng: np.random.Generator) -> Rows:
    if data.views is None:
        return rows
    return np.asarray(data.views[rows, rng.integers(data.views.shape[1], size=len(rows))])


def _compile(head: Any, data: HeadData, settings: FitSettings) -> None:
    from worker.models.keras_import import keras

    entropy = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    zoom = _NOMINAL_WIDTH_PX / data.input_hw[1]
    losses: dict[str, Any] = {str(name): entropy for name in head.output}
    if "box" in losses:
        losses["box"] = keras.losses.Huber(delta=_HUBER_DELTA_PX / zoom)
    if "location_map" in losses:
        losses["location_map"] = keras.losses.CategoricalCrossentropy()
    if "heatmap" in losses:
        losses["heatmap"] = cell_loss(no_fish=data.no_fish, fish_cell_weight=settings.fish_cell_weight)
    if "ltrb_offsets" in losses:
        losses["ltrb_offsets"] = sides_loss()
    weights = _loss_weights(data, settings)
    compile_adamw(head, loss=losses, loss_weights={name: weights.get(name, 1.0) for name in losses})


def _loss_weights(data: HeadData, settings: FitSettings) -> dict[str, float]:
    zoom = _NOMINAL_WIDTH_PX / data.input_hw[1]  # the loss of a box does not depend on the input's size
    return {
        "ltrb_offsets": settings.sides_loss_weight,
        "box": settings.box_loss_weight * zoom**2,
        "heatmap": settings.cell_loss_weight,
        "location_map": settings.location_loss_weight,
    }


def cell_loss(*, no_fish: int, fish_cell_weight: float) -> Callable[[Any, Any], Any]:
    """Return a loss over single heat-map cells: cross-entropy, cells with fish counted more, unknown cells not.

    Source: the weighted cross-entropy of Long et al. 2015, section 4.
    """
    from worker.models.keras_import import keras

    ops = keras.ops

    def loss(cells: Any, logits: Any) -> Any:
        cells = ops.cast(cells[..., 0], "int32")  # (B, h, w)
        known = ops.cast(cells != UNKNOWN_CELL, "float32")
        weight = known * ops.where(cells == no_fish, 1.0, fish_cell_weight)
        entropy = ops.sparse_categorical_crossentropy(ops.maximum(cells, 0), logits, from_logits=True)
        return ops.sum(entropy * weight, axis=(1, 2)) / (ops.sum(weight, axis=(1, 2)) + 1e-6)  # (B,)

    return loss


def sides_loss() -> Callable[[Any, Any], Any]:
    """Return a loss over the boxes that cells give: 1 - GIoU with the box of the cell's fish, mean of those cells.

    Both boxes hold the cell's centre, so their overlap is at hand. Sources: Yu et al. 2016 (UnitBox), Rezatofighi et
    al. 2019, section 3.
    """
    from worker.models.keras_import import keras

    ops = keras.ops

    def loss(truth: Any, sides: Any) -> Any:
        known = ops.cast(ops.sum(truth, axis=-1) > 0, "float32")  # (B, h, w)
        inner = ops.minimum(truth, sides)
        outer = ops.maximum(truth, sides)
        overlap, hull = _area(inner), _area(outer)
        union = _area(truth) + _area(sides) - overlap
        giou = overlap / (union + 1e-6) - (hull - union) / (hull + 1e-6)
        return ops.sum((1.0 - giou) * known, axis=(1, 2)) / (ops.sum(known, axis=(1, 2)) + 1e-6)  # (B,)

    return loss


def _area(sides: Any) -> Any:
    return (sides[..., 0] + sides[..., 2]) * (sides[..., 1] + sides[..., 3])


def _batches(
    head: Any, data: HeadData, rows: Rows, batch_size: int, rng: np.random.Generator | None
) -> Iterator[tuple[Any, Any, Any]]:
    for start in range(0, len(rows) - batch_size + 1, batch_size):
        yield _batch(head, data, rows[start : start + batch_size], rng)


def _loss(head: Any, data: HeadData, rows: Rows, settings: FitSettings) -> float:
    """Return the loss that tells when to stop: of what is served, so not of single cells or of where the head looks.

    Those go up on new cameras (surer, and sometimes wrong) long before species and boxes get worse.
    """
    head.reset_metrics()
    logs: dict[str, Any] = {}
    for chunk in _chunks(rows, settings.batch_size):
        logs = head.test_on_batch(*_batch(head, data, chunk, None), return_dict=True)
    names, weights = [str(name) for name in head.output], _loss_weights(data, settings)
    served = [name for name in names if name not in _NOT_SERVED]
    if len(names) == 1:
        return float(logs["loss"])
    return float(sum(logs[f"{name}_loss"] * weights.get(name, 1.0) for name in served))


def _chunks(rows: Rows, size: int) -> Iterator[Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _inputs(head: Any, data: HeadData, rows: Rows, flipped: npt.NDArray[np.bool_] | None = None) -> Any:
    features = data.features.gather([data.sha256s[row] for row in rows])
    if flipped is not None:
        features[flipped] = features[flipped][:, :, ::-1]
    if data.metadata is None or len(head.inputs) == 1:
        return features
    return {"features": features, "metadata": data.metadata[rows]}


def _batch(head: Any, data: HeadData, rows: Rows, rng: np.random.Generator | None) -> tuple[Any, Any, Any]:
    """Return inputs, targets and weights by output name; with a generator half of the images are mirrored."""
    flipped = np.zeros(len(rows), dtype=bool) if rng is None else rng.random(len(rows)) < 0.5
    targets = data.targets
    boxes, cells = targets.boxes[rows], targets.cells[rows]
    looks = targets.looks[rows]
    looks[flipped] = looks[flipped][:, :, ::-1]
    boxes[flipped] = flip_boxes(boxes[flipped], width_px=data.input_hw[1])
    cells[flipped] = cells[flipped][:, :, ::-1]
    species = targets.species[rows]
    one_hot = np.eye(len(data.species_weights), dtype=np.float32)[species]
    truth: dict[str, Any] = {"box": boxes, "heatmap": cells[..., None].astype(np.float32)}
    truth["location_map"] = looks.reshape(len(rows), -1)
    if "ltrb_offsets" in head.output:
        truth["ltrb_offsets"] = _sides(data, rows, flipped)
    counts = data.row_weights[rows]
    weight: dict[str, Any] = {
        "box": targets.box_weights[rows] * counts,
        "location_map": targets.box_weights[rows] * counts,
        "heatmap": counts,
        "ltrb_offsets": counts,
    }
    names = [str(name) for name in head.output]
    return (
        _inputs(head, data, rows, flipped),
        {name: truth.get(name, one_hot) for name in names},
        {name: weight.get(name, data.species_weights[species] * counts) for name in names},
    )


def _sides(data: HeadData, rows: Rows, flipped: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    sides = ltrb_offsets(data.targets.fish[rows], data.targets.owners[rows], input_hw=data.input_hw)
    sides[flipped] = sides[flipped][:, :, ::-1, [2, 1, 0, 3]]  # left and right change places
    return sides
