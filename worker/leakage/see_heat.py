"""Looks where a model's heat lies on labelled images: on the fish, or beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from db.domain.leakage import HeatReport
from db.domain.species import NO_FISH, LabelSet
from db.progress import Progress
from worker.images.ahead import batches
from worker.images.labelled import LabelledContent, Skip, read_labelled
from worker.inference.detector import AnyDetector
from worker.leakage.heat_outside import HeatSpread, heat_outside
from worker.leakage.verdicts import evaluate_heat
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import boxes_in_input, sample_letterbox
from worker.vision.heatmaps import cell_probabilities
from worker.vision.letterbox import letterbox_image

Pixels = npt.NDArray[np.uint8]

_IMAGES_AT_ONCE = 16


def see_heat(
    model: str, detector: AnyDetector, samples: Sequence[TrainingSample], *, on_skipped: Skip, progress: Progress
) -> HeatReport | None:
    """Return where the heat lies on images with labelled fish; None where there is no such image to be read."""
    input_hw = detector.card.input_hw
    label_set = LabelSet(detector.card.species)
    spreads: list[HeatSpread] = []
    cameras: list[str] = []
    boxed = [sample for sample in samples if sample.label.boxes]
    read = read_labelled(boxed, lambda _sample, content: _letterboxed(content, input_hw), on_skipped=on_skipped)
    for done, chunk in enumerate(batches(read, _IMAGES_AT_ONCE), start=1):
        raw = detector.predict(np.stack([pixels for _sample, pixels in chunk]))
        for (sample, _pixels), logits in zip(chunk, raw.heatmap, strict=True):
            spread = heat_beside(sample, logits, label_set=label_set, input_hw=input_hw)
            if spread is not None:
                spreads.append(spread)
                cameras.append(sample.camera)
        progress(min(done * _IMAGES_AT_ONCE, len(boxed)), len(boxed))
    return evaluate_heat(model, spreads, cameras) if spreads else None


def heat_beside(
    sample: TrainingSample, logits: npt.NDArray[np.float32], *, label_set: LabelSet, input_hw: tuple[int, int]
) -> HeatSpread | None:
    """Return how much of a heat map lies beside the labelled fish. logits: (h, w, S)."""
    grid_hw, letterbox = (logits.shape[0], logits.shape[1]), sample_letterbox(sample, input_hw)
    cells = boxes_in_input(sample, letterbox) * np.array([grid_hw[1] / input_hw[1], grid_hw[0] / input_hw[0]] * 2)
    return heat_outside(
        cell_probabilities(logits),
        cells,
        no_fish_index=label_set.index(NO_FISH),
        frame=letterbox.grid_frame(grid_hw),
    )


def _letterboxed(content: LabelledContent, input_hw: tuple[int, int]) -> Pixels:
    return letterbox_image(content.decode(at_least_hw=input_hw).pixels, into_hw=input_hw)[0]
