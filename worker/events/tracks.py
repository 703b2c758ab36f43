"""Joins sightings of neighbouring images: overlap and motion, the best pairs of all by the Hungarian method.

Source: Bewley et al. 2016, "Simple online and realtime tracking", with centres that go on at their smoothed speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from db.domain.box_overlaps import box_iou_batch
from worker.events.sightings import CameraSequence, Floats, Sighting, Track

# The share of a newer speed in the smoothed one.
_NEW_SPEED = 0.5
# A speed says where an animal is for so long; after that it is looked for where it was last seen.
_SPEED_HOLDS_S = 1.5


@dataclass(frozen=True)
class TrackerSettings:
    """How far a sighting may be from where a track is expected.

    lost_s: a track that was not seen for longer is over, unless not one image was taken since.
    min_iou: overlap that is enough. max_shift: distance of the centres that is enough, in boxes' diagonals.
    max_growth: how many times larger or smaller the box may be.
    """

    lost_s: float = 0.35
    min_iou: float = 0.3
    max_shift: float = 0.25
    max_growth: float = 1.6


class _Going:
    """A track that may go on."""

    def __init__(self, first: Sighting, image_number: int) -> None:
        self.sightings = [first]
        self.last_image = image_number
        self._speed = np.zeros(2)  # pixels a second

    def add(self, sighting: Sighting, image_number: int) -> None:
        last, gap_s = self.sightings[-1], sighting.time_s - self.sightings[-1].time_s
        if gap_s > 0:
            speed = (_centre(sighting) - _centre(last)) / gap_s
            first = len(self.sightings) == 1
            self._speed = speed if first else (1 - _NEW_SPEED) * self._speed + _NEW_SPEED * speed
        self.sightings.append(sighting)
        self.last_image = image_number

    def expected(self, time_s: float) -> Floats:
        """Return where the box should be, (4,) xyxy."""
        last = self.sightings[-1]
        gap_s = time_s - last.time_s
        moved = self._speed * gap_s if gap_s <= _SPEED_HOLDS_S else np.zeros(2)
        return np.asarray(last.box.xyxy) + np.tile(moved, 2)


def track(sequence: CameraSequence, settings: TrackerSettings) -> list[Track]:
    """Return the tracks of a camera's images, in the order in which they begin; every sighting is in exactly one."""
    going: list[_Going] = []
    over: list[_Going] = []
    for number, image in enumerate(sequence.images):
        lost = [one for one in going if _is_lost(one, number, image.time_s, settings)]
        over += lost
        going = [one for one in going if one not in lost]
        pairs = _pairs(going, image.sightings, image.time_s, settings)
        for index, sighting in enumerate(image.sightings):
            if index in pairs:
                pairs[index].add(sighting, number)
            else:
                going.append(_Going(sighting, number))
    return sorted((Track(tuple(one.sightings)) for one in over + going), key=lambda one: one.start_s)


def _is_lost(one: _Going, image_number: int, time_s: float, settings: TrackerSettings) -> bool:
    images = image_number - one.last_image - 1
    return images > 0 and time_s - one.sightings[-1].time_s > settings.lost_s


def _pairs(
    going: Sequence[_Going], sightings: Sequence[Sighting], time_s: float, settings: TrackerSettings
) -> dict[int, _Going]:
    """Return which track each sighting goes on with, by the sighting's place in its image."""
    if not going or not sightings:
        return {}
    expected = np.stack([one.expected(time_s) for one in going])  # (N, 4)
    seen = np.array([sighting.box.xyxy for sighting in sightings])  # (M, 4)
    iou = box_iou_batch(expected, seen)  # (N, M)
    shift = _shift(expected, seen)  # (N, M)
    growth = np.abs(np.log(_areas(expected)[:, None] / _areas(seen)[None, :])) / 2  # (N, M), of the sides
    fits = ((iou >= settings.min_iou) | (shift <= settings.max_shift)) & (growth <= np.log(settings.max_growth))
    cost = np.where(fits, shift - iou, 1e3)  # (N, M)
    rows, columns = linear_sum_assignment(cost)
    return {int(column): going[row] for row, column in zip(rows, columns, strict=True) if fits[row, column]}


def _shift(first: Floats, second: Floats) -> Floats:
    """Return the distance of every two boxes' centres in parts of their mean diagonal, (N, M)."""
    apart = _centres(first)[:, None] - _centres(second)[None, :]  # (N, M, 2)
    diagonals = (_diagonals(first)[:, None] + _diagonals(second)[None, :]) / 2  # (N, M)
    shift: Floats = np.hypot(apart[..., 0], apart[..., 1]) / diagonals
    return shift


def _centres(boxes: Floats) -> Floats:
    middles: Floats = (boxes[:, :2] + boxes[:, 2:]) / 2
    return middles


def _diagonals(boxes: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2]
    length: Floats = np.hypot(sides[:, 0], sides[:, 1])
    return length


def _areas(boxes: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2]
    area: Floats = sides[:, 0] * sides[:, 1]
    return area


def _centre(sighting: Sighting) -> Floats:
    box = sighting.box
    return np.array([(box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2])
