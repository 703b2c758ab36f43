"""Fine-tunes the whole trunk of the second stage on augmented crops; a killed run goes on from its last kept epoch.

The last layer starts as the frozen probe's: a layer drawn at random would first bend the trunk to fit it, and bend it
away from what holds on other cameras (Kumar et al. 2022, "Fine-tuning can distort pretrained features").
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from db.progress import StageProgress
from db.whole_files import move_whole
from worker.images.ahead import ahead
from worker.inference.fixed_batch import in_fixed_batches
from worker.models.crop_classifier import POOLED_LAYER, build_crop_classifier, build_pooled_trunk, set_logits, unfreeze
from worker.models.detector import copy_weights
from worker.models.errors import TrainingError
from worker.training.crops.augment import draw_view
from worker.training.crops.outputs import CropOutputs
from worker.training.optimiser import compile_adamw, train_step
from worker.training.probe import Probe
from worker.vision.crops import quarter_turns

if TYPE_CHECKING:
    from worker.training.crops.settings import CropRows, CropTrainSettings

Floats = npt.NDArray[np.float32]
_Batch = tuple[npt.NDArray[np.uint8], Floats, Floats]
_TRACED_STEPS = 2  # the first steps build the graph and say nothing about the others
_MEASURED_STEPS = 4
_ANSWERED_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Tuned:
    """A tuned classifier without its optimiser. epochs: of the training; resumed_at: how many were done before."""

    model: Any
    epochs: int
    resumed_at: int
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Turn:
    """Which training of several this is, for what is told meanwhile."""

    number: int = 1
    of: int = 1


def finetune(
    learn: CropRows, *, start: Probe, settings: CropTrainSettings, work_dir: Path, progress: StageProgress, turn: Turn
) -> Tuned:
    """Return the classifier tuned on these crops; its last epoch stays in work_dir until `checkpoint.forget()`.

    progress: called with (stage, done, total) steps; after a few steps the stage says how long all will take.
    Raises:
        TrainingError: the place in the training cannot be kept in work_dir.
    """
    from worker.models.keras_import import keras

    checkpoint = Checkpoint(work_dir, _run_name(learn, settings))
    model, done = checkpoint.last()
    if model is None:
        model, done = _begin(start, settings), 0
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
        compile_adamw(model, loss=loss)
    steps, epochs = _steps(len(learn), settings), epochs_of(len(learn), settings)
    told = _Told(progress, steps=steps, epochs=epochs, begun=done, turn=turn)
    kept_steps = 0
    for epoch in range(done, epochs):
        _seed_dropout(model, settings, epoch)
        for batch in _epoch(learn, epoch, settings):
            train_step(model, batch, steps=steps * epochs, learning_rate=settings.learning_rate)
            told.step()
        # Of few crops an epoch is shorter than it takes to write the model down.
        kept_steps += steps
        if kept_steps >= settings.kept_steps or epoch + 1 == epochs:
            checkpoint.keep(model, epoch + 1)
            kept_steps = 0
    return Tuned(plain_copy(model, settings), epochs, done, checkpoint)


def epochs_of(crops: int, settings: CropTrainSettings) -> int:
    """Return how often so many crops are shown: few crops make few steps, and are shown more often."""
    return max(settings.epochs, -(-settings.min_steps // _steps(crops, settings)))


class Checkpoint:
    """Keeps the model after an epoch, whole or not at all, under a name that only this run has."""

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

    def __init__(self, progress: StageProgress, *, steps: int, epochs: int, begun: int, turn: Turn) -> None:
        self._progress, self._total, self._done = progress, steps * epochs, steps * begun
        self._left = self._total - self._done + (turn.of - turn.number) * self._total
        self._name = "fine-tune" if turn.of == 1 else f"fine-tune {turn.number} of {turn.of}"
        self._here, self._started_s, self._stage = 0, 0.0, self._name
        progress(self._stage, self._done, self._total)

    def step(self) -> None:
        self._here, self._done = self._here + 1, self._done + 1
        if self._here == _TRACED_STEPS:
            self._started_s = time.perf_counter()
        if self._here == _TRACED_STEPS + _MEASURED_STEPS:
            each_s = (time.perf_counter() - self._started_s) / _MEASURED_STEPS
            self._stage = f"{self._name}, {_spoken(each_s * self._left)}"
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


def _seed_dropout(model: Any, settings: CropTrainSettings, epoch: int) -> None:
    """Let an epoch drop what it drops by its number alone; the generator's state is not saved with a model."""
    from worker.models.keras_import import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([settings.seed + 1, 1_000 * epoch])


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


def turn_outputs(model: Any, rows: CropRows, *, turns: int) -> CropOutputs:
    """Return what a classifier says of each crop's quarter turns, and its pooled features of them."""
    from worker.models.keras_import import keras

    both = keras.Model(model.input, [model.output, model.get_layer(POOLED_LAYER).output])

    def call(crops: npt.NDArray[np.uint8]) -> dict[str, Floats]:
        said, features = (np.asarray(part) for part in both.predict_on_batch(quarter_turns(crops, turns)))
        pooled = features.reshape(len(crops), turns, -1).mean(axis=1)
        return {"logits": said.reshape(len(crops), turns, -1), "pooled": pooled}

    logits: list[Floats] = []
    pooled: list[Floats] = []
    for start in range(0, len(rows), _ANSWERED_AT_ONCE):
        shown = [rows.canvases.show(sample) for sample in rows.samples[start : start + _ANSWERED_AT_ONCE]]
        said = in_fixed_batches(call, np.stack(shown), size=_ANSWERED_AT_ONCE)
        logits.append(said["logits"])
        pooled.append(said["pooled"])
    if not logits:
        species, channels = model.output.shape[-1], both.outputs[1].shape[-1]
        return CropOutputs(np.zeros((0, turns, species), np.float32), np.zeros((0, channels), np.float32))
    return CropOutputs(np.concatenate(logits), np.concatenate(pooled))


def mean_model(models: Sequence[Any], settings: CropTrainSettings) -> Any:
    """Return a classifier whose weights are the mean of some that were tuned from one start.

    Source: Wortsman et al. 2022, "Model soups", and Rame et al. 2022, "Diverse weight averaging": an ensemble's gain
    on data of another kind, at the cost of one network.
    """
    weights = [model.get_weights() for model in models]
    mean = plain_copy(models[0], settings)
    mean.set_weights([np.mean(parts, axis=0, dtype=np.float32) for parts in zip(*weights, strict=True)])
    return mean


def plain_copy(model: Any, settings: CropTrainSettings) -> Any:
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
