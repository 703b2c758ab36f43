"""Turns species heat maps into regions: where each fish is, how sure the head is of it, and its outline."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import softmax

from db.domain.box_overlaps import box_iou_batch

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A region is what lies above half of its species' peak: the full width at half maximum, as for any blurred spot.
PEAK_SHARE = 0.5
# Below this a cell is more likely background than fish.
FLOOR = 0.3
# Two fish side by side overlap less than this; one fish seen by two species overlaps more.
NMS_IOU = 0.4
MAX_REGIONS = 20
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class HeatRegion:
    """One fish on the heat map. box: xyxy, cells. mask: (H, W) the cells it covers. confidence: its peak, 0..1."""

    box: tuple[float, float, float, float]
    species_index: int
    confidence: float
    mask: Mask


def cell_probabilities(logits: npt.ArrayLike) -> npt.NDArray[np.float16]:
    """Return each cell's species distribution. logits: (H, W, S). Returns (H, W, S), each cell sums to 1."""
    return np.asarray(softmax(np.asarray(logits, dtype=np.float64), axis=-1), dtype=np.float16)


def find_regions(
    heatmap: npt.ArrayLike,
    *,
    no_fish_index: int,
    frame: tuple[float, float, float, float],
    floor: float = FLOOR,
) -> list[HeatRegion]:
    """Return the fish of a heat map, most confident first.

    heatmap: (H, W, S), 0..1. frame: the cells that show the image; nothing is found outside it.
    """
    grid = np.array(heatmap, dtype=np.float64)
    grid[~_frame_mask(grid.shape[:2], frame)] = 0.0
    found = [
        region
        for species_index in range(grid.shape[2])
        if species_index != no_fish_index
        for region in _regions_of(grid[:, :, species_index], species_index, floor=floor)
    ]
    found.sort(key=lambda region: -region.confidence)
    kept = non_max_suppression(
        [region.box for region in found], [region.confidence for region in found], iou_threshold=NMS_IOU
    )
    return [found[index] for index in kept[:MAX_REGIONS]]


def non_max_suppression(boxes: npt.ArrayLike, confidences: npt.ArrayLike, *, iou_threshold: float) -> list[int]:
    """Return which boxes stay, most confident first: none overlaps a more confident one by more than the threshold.

    boxes: (N, 4) xyxy. confidences: (N,).

    >>> non_max_suppression([[0, 0, 4, 4], [0, 0, 4, 5], [9, 9, 12, 12]], [0.5, 0.9, 0.1], iou_threshold=0.5)
    [1, 2]
    """
    xyxy = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    overlap = box_iou_batch(xyxy, xyxy)
    kept: list[int] = []
    for index in np.argsort(-np.asarray(confidences, dtype=np.float64), kind="stable"):
        if all(overlap[index, other] <= iou_threshold for other in kept):
            kept.append(int(index))
    return kept


def region_polygon(mask: Mask) -> Floats:
    """Return the outline of a region's hull in cells, (N, 2) xy, N >= 4, counter-clockwise from its lowest left point.

    >>> region_polygon(np.array([[True]])).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    """
    rows, columns = np.nonzero(mask)
    corners = {(x + dx, y + dy) for x, y in zip(columns, rows, strict=True) for dx in (0, 1) for dy in (0, 1)}
    points = sorted((float(x), float(y)) for x, y in corners)
    # Andrew's monotone chain (1979).
    return np.array(_half_hull(points)[:-1] + _half_hull(points[::-1])[:-1])


def pack_heatmap(heatmap: npt.ArrayLike) -> bytes:
    """Return a heat map in about a kilobyte: 8 bits a cell, compressed. heatmap: (H, W, S), 0..1."""
    levels = np.round(np.clip(np.asarray(heatmap, dtype=np.float64), 0.0, 1.0) * 255).astype(np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, heatmap=levels)
    return file.getvalue()


def unpack_heatmap(packed: bytes) -> npt.NDArray[np.float32]:
    """Return the heat map that was packed, (H, W, S), 0..1, within 1/510 of it."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as held:
        return np.asarray(held["heatmap"], dtype=np.float32) / np.float32(255)


def _frame_mask(grid_hw: tuple[int, ...], frame: tuple[float, float, float, float]) -> Mask:
    # A cell counts where its centre shows the image.
    x, y = np.arange(grid_hw[1]) + 0.5, np.arange(grid_hw[0]) + 0.5
    inside: Mask = ((y >= frame[1]) & (y <= frame[3]))[:, None] & ((x >= frame[0]) & (x <= frame[2]))[None, :]
    return inside


def _regions_of(plane: Floats, species_index: int, *, floor: float) -> list[HeatRegion]:
    """The regions of one species: each spot is cut at half of its own peak, so that a bright fish hides no dim one."""
    spots, count = ndimage.label(plane >= floor, structure=EIGHT_NEIGHBOURS)
    regions = []
    for spot in range(1, count + 1):
        inside = spots == spot
        peak = float(plane[inside].max())
        parts, part_count = ndimage.label(inside & (plane >= peak * PEAK_SHARE), structure=EIGHT_NEIGHBOURS)
        for part in range(1, part_count + 1):
            mask = np.asarray(parts == part)
            regions.append(HeatRegion(_extent(mask), species_index, min(1.0, float(plane[mask].max())), mask))
    return regions


def _extent(mask: Mask) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(mask)
    return (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))


def _half_hull(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    hull: list[tuple[float, float]] = []
    for point in points:
        while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    return hull


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
