"""Shows a centre detector held-out images exactly as a worker would, and says what it saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.box_confidence import BoxConfidence
from db.domain.predictions import Head, Prediction
from db.domain.species import LabelSet
from worker.inference.detector import AnyDetector, input_for, prediction_of
from worker.inference.raw_outputs import RawOutputs
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import sample_letterbox
from worker.training.detector.box_figures import SeenFish
from worker.training.detector.figures import HeldOut
from worker.training.detector.held_images import HeldImages
from worker.vision.centre_boxes import cells_in_frame
from worker.vision.centre_detections import CentreMaps
from worker.vision.heatmaps import cell_probabilities
from worker.vision.letterbox import Letterbox, letterbox_image

Floats = npt.NDArray[np.float64]

_BATCH_IMAGES = 8
# The middle of a fish's box is fish; its corners are often deck.
_MIDDLE = 0.5


@dataclass(frozen=True)
class SeenImage:
    """What the network says of one held-out image: a batch of one, and how the image lies in its input."""

    sample: TrainingSample
    raw: RawOutputs
    letterbox: Letterbox

    def fish(self) -> SeenFish:
        """Return its boxes and heat, in the original's pixels."""
        assert self.raw.centres is not None and self.raw.ltrb_offsets is not None  # a centre detector gives them
        centres = self.raw.centres[0, ..., 0]
        maps = CentreMaps(centres, self.raw.ltrb_offsets[0], cell_probabilities(self.raw.heatmap[0]))
        found = maps.boxes(self.letterbox)
        boxes = np.array([one.box for one in found], dtype=np.float64).reshape(-1, 4)
        truth = np.array([one.box.xyxy for one in self.sample.label.boxes], dtype=np.float64).reshape(-1, 4)
        heat_on, heat_off = _heat(centres, self.letterbox, truth)
        return SeenFish(
            camera=self.sample.camera,
            boxes=np.asarray(self.letterbox.to_original(boxes)),
            scores=np.array([one.score for one in found]),
            truth=truth,
            heat_on=heat_on,
            heat_off=heat_off,
        )

    def prediction(self, label_set: LabelSet, confidence: BoxConfidence) -> Prediction:
        """Return what a worker would store of it."""
        return prediction_of(self.raw, 0, letterbox=self.letterbox, label_set=label_set, confidence=confidence)


def see_held_out(
    detector: AnyDetector, rows: Sequence[int], images: HeldImages, fish_px: Mapping[str, float], *, once: bool = False
) -> list[SeenImage]:
    """Return what a detector says of images by their rows, each at its camera's fish size.

    once: never of mirror images beside, as where scores at several inputs are compared.
    """
    by_input: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in rows:
        step = input_for(detector.card, fish_px.get(images.samples[row].camera))
        by_input[step.input_hw].append(int(row))
    seen = {
        row: one for input_hw, some in by_input.items() for row, one in _seen(detector, some, images, input_hw, once)
    }
    return [seen[int(row)] for row in rows]


def as_held_out(
    seen: Sequence[SeenImage], *, label_set: LabelSet, input_hw: tuple[int, int], confidence: BoxConfidence
) -> HeldOut:
    """Return what was seen as the figures want it, every box in pixels of the base input."""
    said = [one.prediction(label_set, confidence) for one in seen]
    boxes = np.zeros((len(seen), 4), dtype=np.float32)
    for place, (one, prediction) in enumerate(zip(seen, said, strict=True)):
        for found in prediction.of_head(Head.BOX_SPECIES):
            boxes[place] = np.asarray(sample_letterbox(one.sample, input_hw).to_input([found.box.xyxy]))[0]
    outputs = {
        "box": boxes,
        "box_species": np.array([one.box_probabilities for one in said], dtype=np.float32),
        "heatmap_species": np.array([one.heatmap_probabilities for one in said], dtype=np.float32),
    }
    return HeldOut([one.sample for one in seen], outputs, label_set, input_hw)


def _seen(
    detector: AnyDetector, rows: Sequence[int], images: HeldImages, input_hw: tuple[int, int], once: bool
) -> Iterator[tuple[int, SeenImage]]:
    for start in range(0, len(rows), _BATCH_IMAGES):
        chunk = rows[start : start + _BATCH_IMAGES]
        canvases = [letterbox_image(images.pixels(row), into_hw=input_hw)[0] for row in chunk]
        raw = detector.predict(np.stack(canvases), once=once)
        for place, row in enumerate(chunk):
            sample = images.samples[row]
            yield row, SeenImage(sample, raw.row(place), sample_letterbox(sample, input_hw))


def _heat(centres: npt.NDArray[np.float32], letterbox: Letterbox, truth: Floats) -> tuple[float, float]:
    """Return the mean heat of the cells in the middle of fish, and of the others; NaN where there are none."""
    heat = 1.0 / (1.0 + np.exp(-centres.astype(np.float64)))
    shown = cells_in_frame(heat.shape, letterbox.grid_frame((heat.shape[0], heat.shape[1])))
    stride_px = letterbox.input_hw[0] / heat.shape[0]
    x, y = (np.arange(heat.shape[1]) + 0.5) * stride_px, (np.arange(heat.shape[0]) + 0.5) * stride_px
    middle, whole = np.zeros_like(shown), np.zeros_like(shown)
    for box in np.asarray(letterbox.to_input(truth)):
        whole |= _inside(box, x, y)
        middle |= _inside(_shrunk(box), x, y)
    on, off = heat[middle & shown], heat[shown & ~whole]
    return (float(on.mean()) if on.size else float("nan"), float(off.mean()) if off.size else float("nan"))


def _inside(box: Floats, x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray(((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0]) & (x <= box[2]))[None, :])


def _shrunk(box: Floats) -> Floats:
    centre, half = (box[:2] + box[2:]) / 2.0, (box[2:] - box[:2]) / 2.0 * _MIDDLE
    return np.concatenate([centre - half, centre + half])
