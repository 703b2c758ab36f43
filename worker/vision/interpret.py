"""Turns a network's raw outputs for one image into a prediction in the original's pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from db.domain.box_confidence import UNFITTED, BoxConfidence
from db.domain.boxes import Box, clip_box
from db.domain.predictions import Detection, Head, Prediction
from db.domain.species import NO_FISH, LabelSet
from worker.vision.agreement import measure_agreement
from worker.vision.centre_detections import CentreMaps, centre_detections, chance_beside, with_boxes
from worker.vision.dense_boxes import DenseBox, find_dense_boxes
from worker.vision.heatmaps import HeatRegion, cell_probabilities, find_regions
from worker.vision.letterbox import Letterbox

# A box head that says "no fish" answers 0,0,0,0; training leaves it a few pixels of noise.
MIN_SIDE_PX = 4.0


def interpret(
    *,
    box: npt.ArrayLike,
    box_probabilities: npt.ArrayLike,
    heatmap_logits: npt.ArrayLike,
    heatmap_probabilities: npt.ArrayLike,
    letterbox: Letterbox,
    label_set: LabelSet,
    ltrb_offsets: npt.ArrayLike | None = None,
    centres: npt.ArrayLike | None = None,
    confidence: BoxConfidence | None = None,
) -> Prediction:
    """Return what the heads say of an image.

    box: (4,) xyxy, input pixels. probabilities: (S,). heatmap_logits: (h, w, S). ltrb_offsets: (h, w, 4), input pixels,
    of a heat-map head whose cells give boxes; of another one the regions of its maps are the boxes. centres: (h, w)
    logits at the grid of ltrb_offsets, of a detector with a centre head; confidence: what the scores of its boxes mean.
    """
    heatmap = cell_probabilities(heatmap_logits)
    frame = letterbox.grid_frame((heatmap.shape[0], heatmap.shape[1]))
    no_fish = label_set.index(NO_FISH)
    box_p, heat_p = _distribution(box_probabilities), _distribution(heatmap_probabilities)
    boxed = _box_detection(box, box_p, letterbox, label_set)
    if centres is not None and ltrb_offsets is not None:
        maps = CentreMaps(np.asarray(centres), np.asarray(ltrb_offsets), heatmap)
        seen = centre_detections(maps, letterbox=letterbox, label_set=label_set, confidence=confidence or UNFITTED)
        heat_p = with_boxes(heat_p, [one.confidence for one in seen], no_fish=no_fish)
        boxed = replace(boxed, confidence=chance_beside(boxed.box, seen)) if boxed else None
    else:
        seen = _map_detections(heatmap, ltrb_offsets, letterbox, label_set)
    agreement = measure_agreement(
        box=boxed.box if boxed else None,
        regions=[detection.box for detection in seen],
        box_probabilities=box_p,
        heatmap_probabilities=heat_p,
        no_fish_index=no_fish,
    )
    return Prediction(
        width_px=letterbox.width_px,
        height_px=letterbox.height_px,
        box_probabilities=tuple(box_p.tolist()),
        heatmap_probabilities=tuple(heat_p.tolist()),
        detections=tuple(([boxed] if boxed else []) + seen),
        agreement=agreement,
        heatmap=heatmap,
        frame=frame,
    )


def _map_detections(
    heatmap: npt.NDArray[np.float16], ltrb_offsets: npt.ArrayLike | None, letterbox: Letterbox, label_set: LabelSet
) -> list[Detection]:
    """Return the fish that species maps show, by their regions or by the boxes of their cells."""
    no_fish, frame = label_set.index(NO_FISH), letterbox.grid_frame((heatmap.shape[0], heatmap.shape[1]))
    if ltrb_offsets is None:
        regions = find_regions(heatmap, no_fish_index=no_fish, frame=frame)
        every = [_region_detection(region, letterbox, heatmap.shape[:2], label_set) for region in regions]
    else:
        dense = find_dense_boxes(heatmap, ltrb_offsets, no_fish_index=no_fish, frame=frame, input_hw=letterbox.input_hw)
        every = [_dense_detection(found, letterbox, label_set) for found in dense]
    return [detection for detection in every if detection is not None]


def _box_detection(
    box: npt.ArrayLike, probabilities: npt.NDArray[np.float64], letterbox: Letterbox, label_set: LabelSet
) -> Detection | None:
    species_index = int(probabilities.argmax())
    if label_set.names[species_index] == NO_FISH:
        return None
    x_min, y_min, x_max, y_max = np.asarray(box, dtype=np.float64).tolist()
    if not np.isfinite([x_min, y_min, x_max, y_max]).all() or min(x_max - x_min, y_max - y_min) < MIN_SIDE_PX:
        return None
    found = _in_original(letterbox.to_original([[x_min, y_min, x_max, y_max]])[0], letterbox)
    if found is None:
        return None
    return Detection(found, label_set.names[species_index], _confidence(probabilities[species_index]), Head.BOX_SPECIES)


def _region_detection(
    region: HeatRegion, letterbox: Letterbox, grid_hw: tuple[int, ...], label_set: LabelSet
) -> Detection | None:
    found = _in_original(letterbox.grid_to_original([region.box], grid_hw=(grid_hw[0], grid_hw[1]))[0], letterbox)
    if found is None:
        return None
    return Detection(found, label_set.names[region.species_index], _confidence(region.confidence), Head.HEATMAP)


def _dense_detection(dense: DenseBox, letterbox: Letterbox, label_set: LabelSet) -> Detection | None:
    found = _in_original(letterbox.to_original([dense.box])[0], letterbox)
    if found is None:
        return None
    return Detection(found, label_set.names[dense.species_index], _confidence(dense.confidence), Head.HEATMAP)


def _in_original(xyxy: npt.NDArray[np.float64], letterbox: Letterbox) -> Box | None:
    x_min, y_min, x_max, y_max = xyxy.tolist()
    if x_max <= x_min or y_max <= y_min:
        return None
    return clip_box(Box(x_min, y_min, x_max, y_max), width_px=letterbox.width_px, height_px=letterbox.height_px)


def _distribution(probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.clip(np.asarray(probabilities, dtype=np.float64), 0.0, 1.0)
    return np.asarray(values / values.sum(), dtype=np.float64)


def _confidence(value: float) -> float:
    return float(min(1.0, max(0.0, value)))
