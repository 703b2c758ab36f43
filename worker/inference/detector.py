"""Serves a detector inside a worker process: loaded once, fixed batch shape, batch norms folded."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from db.domain.box_confidence import BoxConfidence
from db.domain.fish_size import InputStep, input_steps, step_for
from db.domain.model_versions import ModelCard
from db.domain.predictions import Prediction
from db.domain.runtimes import Runtime
from db.domain.species import NO_FISH, LabelSet
from worker.inference.fixed_batch import Outputs, in_fixed_batches
from worker.inference.noop_detector import NoopDetector
from worker.inference.raw_outputs import Images, RawOutputs
from worker.inference.runtimes.compile import BY_KERAS, ServedBy, compile_network
from worker.models.names import DetectorKind
from worker.vision.interpret import interpret
from worker.vision.letterbox import Letterbox
from worker.vision.mirrored import mean_with_mirrored, mirror

NOOP_KIND = "noop"
BATCH_SIZE = 8
# A small input takes half the work of the base input or less; the rest goes into a look at its mirror image, which
# gave 0.02 to 0.10 of AP50 on real cameras.
_MIRRORED_COST = 0.5


def prediction_of(
    raw: RawOutputs,
    row: int,
    *,
    letterbox: Letterbox,
    label_set: LabelSet,
    confidence: BoxConfidence | None = None,
) -> Prediction:
    """Return what the heads say of one image of a batch, in the original's pixels.

    confidence: what the scores of a centre head's boxes mean.
    """
    return interpret(
        box=raw.box[row],
        box_probabilities=raw.box_species[row],
        heatmap_logits=raw.heatmap[row],
        heatmap_probabilities=raw.heatmap_species[row],
        ltrb_offsets=None if raw.ltrb_offsets is None else raw.ltrb_offsets[row],
        centres=None if raw.centres is None else raw.centres[row, ..., 0],
        confidence=confidence,
        letterbox=letterbox,
        label_set=label_set,
    )


def inputs_of(card: ModelCard) -> tuple[InputStep, ...]:
    """Return the input sizes that a detector answers at: one, or those for the fish sizes of cameras."""
    return input_steps(card.input_hw) if card.kind == DetectorKind.CENTRE else (InputStep(1.0, card.input_hw),)


def input_for(card: ModelCard, fish_px: float | None) -> InputStep:
    """Return the input for a camera of this fish size; None where it is not known."""
    one = card.kind != DetectorKind.CENTRE
    return InputStep(1.0, card.input_hw) if one else step_for(fish_px, card.input_hw)


class AnyDetector(Protocol):
    """What a worker needs of a detector. runtime: what runs it at this moment."""

    card: ModelCard

    @property
    def runtime(self) -> Runtime:
        """What runs the network; Keras where another runtime failed."""

    def predict(self, batch: Images, *, once: bool = False) -> RawOutputs:
        """Return the outputs of a batch of letterboxed images (B, H, W, 3). once: never of mirror images beside."""

    def warm_up(self) -> None:
        """Do the slow first call before the first image waits for it."""


class Detector:
    """A Keras detector, ready to be called from any thread; one call at a time is in the network."""

    def __init__(
        self, card: ModelCard, model: Any, *, batch_size: int = BATCH_SIZE, served: ServedBy = BY_KERAS
    ) -> None:
        from worker.models.detector import fold_batch_norms

        self.card = card
        self._no_fish = card.species.index(NO_FISH)
        steps = inputs_of(card)
        self._batches = {step.input_hw: batch_of(step, batch_size) for step in steps}
        self._mirrored = {step.input_hw for step in steps if step.cost <= _MIRRORED_COST}
        self._network = compile_network(fold_batch_norms(model), served.runtime, prepared=served.prepared / "detector")
        self._one_call = threading.Lock()

    @property
    def runtime(self) -> Runtime:
        """What runs the network; Keras where another runtime failed."""
        return self._network.runtime

    def predict(self, batch: Images, *, once: bool = False) -> RawOutputs:
        """Return the outputs of any number of images (B, H, W, 3) uint8 of one input size, in fixed batches.

        Small inputs are seen mirrored, too, and the mean is given. once: they are not.
        Raises:
            NetworkFailed: the network library failed.
        """
        return self._answered(self._seen(batch, once=once))

    def warm_up(self) -> None:
        """Trace the graph at its base input and let the libraries choose their kernels."""
        self.predict(np.zeros((1, *self.card.input_hw, 3), dtype=np.uint8))

    def _seen(self, batch: Images, *, once: bool) -> list[Outputs]:
        input_hw = (batch.shape[1], batch.shape[2])
        if input_hw not in self._batches or batch.shape[3:] != (3,) or batch.dtype != np.uint8:
            raise ValueError(f"images are {batch.shape} {batch.dtype}, wanted (B, {[*self._batches]}, 3) uint8")
        views = [batch, mirror(batch)] if input_hw in self._mirrored and not once else [batch]
        return [in_fixed_batches(self._called, view, size=self._batches[input_hw]) for view in views]

    def _answered(self, views: Sequence[Outputs]) -> RawOutputs:
        """Return the answers by what was said of images and, as a second view, of their mirror images."""
        outputs = mean_with_mirrored(*views) if len(views) > 1 else views[0]
        outputs["box"][outputs["box_species"].argmax(axis=1) == self._no_fish] = 0.0
        return RawOutputs(features=None, **outputs)

    def _called(self, batch: Images) -> Mapping[str, Any]:
        with self._one_call:
            return self._network(batch)


def make_detector(
    card: ModelCard, path: Path, *, batch_size: int = BATCH_SIZE, served: ServedBy = BY_KERAS
) -> AnyDetector:
    """Return the detector of a model version; path is its folder, already checked against its sha256.

    Raises:
        RuntimeMissing: the runtime is not installed, or was not prepared for this model.
    """
    if card.kind == NOOP_KIND:
        return NoopDetector(card)
    from worker.storage.model_files import load_model_file

    return Detector(card, load_model_file(path), batch_size=batch_size, served=served)


def batch_of(step: InputStep, batch_size: int) -> int:
    """Return how many images of an input make a network call: larger ones fewer, so that no call takes for ever."""
    return max(1, min(batch_size, round(batch_size / step.cost)))
