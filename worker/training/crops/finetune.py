"""Fine-tunes the whole trunk of the second stage on augmented crops; a killed run goes on from its last whole epoch.

The last layer starts as the frozen probe's: a layer drawn at random would first bend the trunk to fit it, and bend it
away from what holds on other cameras (Kumar et al. 2022, "Fine-tuning can distort pretrained features").
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from db.whole_files import move_whole
from worker.models.crop_classifier import build_crop_classifier, build_pooled_trunk, set_logits, unfreeze
from worker.models.detector import copy_weights
from worker.models.errors import TrainingError
from worker.training.crops.augment import draw_view
from worker.training.crops.features import ahead
from worker.training.optimiser import compile_adamw, train_step
from worker.training.probe import Probe
from worker.vision.crops import quarter_turns

if TYPE_CHECKING:
    from worker.training.crops.settings import CropRows, CropTrainSettings

Progress = Callable[[str, int, int], None]
Floats = npt.NDArray[np.float32]
_Batch = tuple[npt.NDArray[np.uint8], Floats, Floats]
_TRACED_STEPS = 2  # the first steps build the graph and say nothing about the others
_MEASURED_STEPS = 4
_JUDGED_AT_ONCE = 32


def finetune(
    learn: CropRows,
    evaluate: CropRows,
    *,
    start: Probe,
    settings: CropTrainSettings,
    work_dir: Path,
    progress: Progress,
) -> tuple[Any, Floats, dict[str, object]]:
    """Return the tuned classifier, its logits of the held-out crops' turns, and what to tell on the card.

    progress: called with (stage, done, total) steps; after a few steps the stage says how long all will take.
    Raises:
        TrainingError: the place in the training cannot be kept in work_dir.
    """
    from worker.models.keras_import import keras

    monitor = _Checkpoint(work_dir, _run_name(learn, settings))
    model, done = monitor.last()
    if model is None:
        model, done = _begin(start, settings), 0
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
        compile_adamw(model, loss=loss)
    steps = _steps(len(learn), settings)
    told = _Told(progress, steps=steps, epochs=settings.epochs, begun=done)
    for epoch in range(done, settings.epochs):
        for batch in _epoch(learn, epoch, settings):
            train_step(model, batch, steps=steps * settings.epochs, learning_rate=settings.learning_rate)
            told.step()
        monitor.keep(model, epoch + 1)
    tuned = _plain_copy(model, settings)
    logits = _turn_logits(tuned, evaluate, settings)
    monitor.forget()
    return tuned, logits, {"epochs": settings.epochs, "resumed_at_epoch": done, "strength": start.strength}


class _Checkpoint:
    """Keeps the model after each epoch, whole or not at all, under a name that only this run has."""

    def __init__(self, work_dir: Path, run: str) -> None:
        self._folder = work_dir / f"crops-{run}"

    def last(self) -> tuple[Any, int]:
        """Return the model of the last whole epoch and that epoch; None, 0 where there is none."""
        from worker.models.keras_import import keras

        for file in sorted(self._folder.glob("epoch-*.keras"), reverse=True):
            try:
                return keras.saving.load_model(file, safe_mode=True), int(file.stem.removeprefix("epoch-"))
            except Exception:  # a damaged one is no reason to fail: the one before it, or the beginning
                file.unlink(missing_ok=True)
        return None, 0

    def keep(self, model: Any, epoch: int) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / "draft.keras"
            model.save(draft)
            move_whole(draft, self._folder / f"epoch-{epoch:04d}.keras")
            for old in sorted(self._folder.glob("epoch-*.keras"))[:-2]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise TrainingError(f"{self._folder}: cannot be written ({error.strerror or error})") from error

    def forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class _Told:
    """Tells steps done, and after the first few how long all of them will take."""

    def __init__(self, progress: Progress, *, steps: int, epochs: int, begun: int) -> None:
        self._progress, self._total, self._done = progress, steps * epochs, steps * begun
        self._left = self._total - self._done
        self._here, self._started_s, self._stage = 0, 0.0, "fine-tune"
        progress(self._stage, self._done, self._total)

    def step(self) -> None:
        self._here, self._done = self._here + 1, self._done + 1
        if self._here == _TRACED_STEPS:
            self._started_s = time.perf_counter()
        if self._here == _TRACED_STEPS + _MEASURED_STEPS:
            each_s = (time.perf_counter() - self._started_s) / _MEASURED_STEPS
            self._stage = f"fine-tune, {_spoken(each_s * self._left)}"
        self._progress(self._stage, self._done, self._total)


def _spoken(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"


def _begin(start: Probe, settings: CropTrainSettings) -> Any:
    from worker.models.keras_import import keras

    keras.utils.set_random_seed(settings.seed)
    trunk = build_pooled_trunk(settings.trunk, crop_px=settings.crop_px, weights=settings.weights)
    model = build_crop_classifier(trunk, species=len(settings.label_set))
    set_logits(model, start.weights, start.bias)
    unfreeze(model)
    return model


def _epoch(learn: CropRows, epoch: int, settings: CropTrainSettings) -> Iterator[_Batch]:
    """Yield an epoch's batches, drawn by seed and number alone: a resumed run sees what the whole one would have."""
    rng = np.random.default_rng([settings.seed, epoch])
    order, weights = draw_order(learn, rng, settings)
    size = min(settings.batch_size, len(order))
    one_hot = np.eye(len(settings.label_set), dtype=np.float32)

    def batch(start: int) -> _Batch:
        rows = order[start : start + size]
        draws = [np.random.default_rng([settings.seed, epoch, start + place]) for place in range(len(rows))]
        crops = [
            learn.canvases.show(learn.samples[row], draw_view(draw)) for row, draw in zip(rows, draws, strict=True)
        ]
        return np.stack(crops), one_hot[learn.species[rows]], weights[rows]

    yield from ahead(batch, range(0, len(order) - size + 1, size))


def draw_order(
    learn: CropRows, rng: np.random.Generator, settings: CropTrainSettings
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the order of the crops and what each counts; drawn by weight, or all of them and weighted."""
    if not settings.by_sampling:
        return rng.permutation(len(learn)), learn.weights
    chances = learn.weights.astype(np.float64) / learn.weights.sum(dtype=np.float64)
    return rng.choice(len(learn), size=len(learn), p=chances), np.ones_like(learn.weights)


def _turn_logits(model: Any, evaluate: CropRows, settings: CropTrainSettings) -> Floats:
    parts = [np.zeros((0, len(settings.label_set)), dtype=np.float32)]
    for start in range(0, len(evaluate), _JUDGED_AT_ONCE):
        shown = [evaluate.canvases.show(sample) for sample in evaluate.samples[start : start + _JUDGED_AT_ONCE]]
        padded = np.zeros((_JUDGED_AT_ONCE, *shown[0].shape), dtype=np.uint8)  # one shape: nothing is traced again
        padded[: len(shown)] = shown
        turned = np.asarray(model.predict_on_batch(quarter_turns(padded, settings.turns)))
        parts.append(turned[: len(shown) * settings.turns])
    return np.concatenate(parts)


def _plain_copy(model: Any, settings: CropTrainSettings) -> Any:
    """Return the classifier without its optimiser, whose state is twice its size."""
    trunk = build_pooled_trunk(settings.trunk, crop_px=settings.crop_px, weights="random")
    plain = build_crop_classifier(trunk, species=len(settings.label_set))
    copy_weights(model, plain)
    return plain


def _steps(crops: int, settings: CropTrainSettings) -> int:
    return crops // min(settings.batch_size, crops)


def _run_name(learn: CropRows, settings: CropTrainSettings) -> str:
    """A name for exactly this training: its settings, crops, labels and weights."""
    digest = hashlib.sha256(repr(dataclasses.asdict(settings)).encode())
    for sample in learn.samples:
        digest.update(f"{sample.key} {sample.species} {sample.weight}".encode())
    return digest.hexdigest()[:16]
