"""Fine-tunes a whole centre detector, trunk and all heads at once; a killed run goes on from its last kept step.

The heads begin as they were fitted on the frozen trunk: heads drawn at random would first bend the trunk to fit them
(Kumar et al. 2022, "Fine-tuning can distort pretrained features"). Batch norms keep what a million images taught them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.progress import Progress, no_progress
from db.whole_files import whole_file
from worker.models.errors import TrainingError
from worker.training.detector.centre_fit import CentreFit
from worker.training.detector.draw_batches import BatchSource, WindowBatch
from worker.training.detector.fit_centre import LOSS_WEIGHTS, CentreHeads, losses_of, species_truth
from worker.training.detector.one_cycle import compile_for_cycle, cycle_step

Floats = npt.NDArray[np.float32]

# A tenth of what the heads were fitted at: the trunk knows more than a few cameras can tell.
_PEAK_RATE = 1.5e-4
_KEPT_STEPS = 25


@dataclass(frozen=True)
class KeptPlace:
    """Where a fine-tuning keeps its weights and its optimiser's, whole or not at all."""

    file: Path

    def keep(self, model: Any, step: int) -> None:
        """Keep the model after so many steps.

        Raises:
            TrainingError: the folder cannot be written.
        """
        state = [*model.get_weights(), *(np.asarray(one) for one in model.optimizer.variables)]
        named = {f"part{place:05d}": value for place, value in enumerate(state)}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self.file) as draft, draft.open("wb") as stream:
                np.savez(stream, allow_pickle=False, step=np.array(step), **named)
        except OSError as error:
            raise TrainingError(f"{self.file}: cannot be written ({error.strerror or error})") from error

    def restore(self, model: Any) -> int:
        """Give the model what was kept, and return after how many steps; 0 where nothing was, or it is torn."""
        try:
            with self.file.open("rb") as stream, np.load(stream) as held:
                step, state = int(held["step"]), [held[name] for name in sorted(held.files) if name != "step"]
        except Exception:  # a torn file raises many kinds; it is no reason to fail
            return 0
        count = len(model.weights)
        if len(state) != count + len(model.optimizer.variables):
            return 0
        model.set_weights(state[:count])
        for variable, value in zip(model.optimizer.variables, state[count:], strict=True):
            variable.assign(value)
        return step

    def forget(self) -> None:
        """Take away what a resumption would need."""
        self.file.unlink(missing_ok=True)


def tune_trunk(
    source: BatchSource,
    trunk: Any,
    heads: CentreHeads,
    *,
    fit: CentreFit,
    species_weights: Floats,
    work_dir: Path,
    progress: Progress = no_progress,
) -> tuple[Any, int]:
    """Return the detector as it serves, tuned as a whole, and the step that it went on from.

    trunk: from `build_trunk_levels`, not folded; it is changed. work_dir: where the place is kept until it is through.
    Raises:
        TrainingError: the place cannot be kept.
    """
    from worker.models.centre_detector import build_tunable, served_part

    model = build_tunable(trunk, heads.centre, heads.species_heads, deviations=heads.deviations)
    compile_for_cycle(model, loss=losses_of(source.label_set), loss_weights=LOSS_WEIGHTS)
    steps = fit.steps(len(source.rows))
    place = KeptPlace(work_dir / f"detector-{_run_name(source, fit)}.npz")
    begun = place.restore(model)
    progress(begun, steps)
    for step, batch in enumerate(source.batches(steps, first=begun), start=begun + 1):
        cycle_step(model, _whole_batch(batch, species_weights), steps=steps, peak=_PEAK_RATE)
        if step % _KEPT_STEPS == 0 and step < steps:
            place.keep(model, step)
        progress(step, steps)
    place.forget()
    return served_part(model), begun


def _whole_batch(batch: WindowBatch, species_weights: Floats) -> tuple[Any, Any, Any]:
    truth, weights = species_truth(batch, species_weights)
    every = np.ones(len(batch.windows), dtype=np.float32)
    truth |= {"centres": batch.centres, "ltrb_offsets": batch.sides}
    return batch.windows, truth, {**weights, "centres": every, "ltrb_offsets": every}


def _run_name(source: BatchSource, fit: CentreFit) -> str:
    """A name for exactly this training: its images, labels, sizes and schedule."""
    digest = hashlib.sha256(repr((fit, source.input_hw, source.seed, sorted(source.fish_px.items()))).encode())
    for row in source.rows:
        sample = source.samples[row]
        digest.update(f"{sample.sha256} {sample.label!r} {sample.weight} {sample.false_boxes}".encode())
    return digest.hexdigest()[:16]
