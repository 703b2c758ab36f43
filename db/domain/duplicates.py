"""Which images of one camera show the same moment, so that a person answers one of them for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from db.domain.box_overlaps import box_iou_batch
from db.domain.boxes import Box

THUMBNAIL_HW = (9, 16)
# Frames a second apart, or saved again, differ by a few levels anywhere. A fish that came or went (an eighth of the
# image's width: two cells of a thumbnail) differs by more than this in some cell, on the very same deck.
MAX_DIFFERENCE = 6.0
# Saving an image again moves no cell's mean further. Between frames the light alone does, but for the stillest decks.
SAVED_AGAIN = 1.5
# A deck that looks the same later is another moment: a small fish may have come, and the boxes have gone on.
BURST_S = 60.0
# Where no clock tells, files that were found so near to each other are taken for a burst.
BURST_FILES = 10
# The answer's boxes are passed on as they are, so they must stand where they stood.
SAME_PLACE_IOU = 0.5


@dataclass(frozen=True)
class Sighting:
    """What an image's duplicates are told by. thumbnail: 9 x 16 RGB bytes, None where none was kept yet.

    captured_at: ISO 8601. place: files of one folder that were found together have neighbouring numbers.
    boxes: the answer's, pixels of the original.
    """

    camera: str
    width_px: int
    height_px: int
    thumbnail: bytes | None
    captured_at: str | None
    place: int
    boxes: tuple[Box, ...]


def one_a_group(sightings: Sequence[Sighting]) -> list[list[int]]:
    """Return groups of near-duplicates, by place: the first of each is the one to show, in the order given.

    Each is compared with the first of its group alone: by a chain of neighbours a deck would be one whole day long.
    """
    groups: list[list[int]] = []
    leaders: dict[tuple[str, int, int], list[tuple[list[int], npt.NDArray[np.float32]]]] = {}
    for place, one in enumerate(sightings):
        cells = _cells(one)
        held = leaders.setdefault((one.camera, one.width_px, one.height_px), [])
        group = _group_of(one, cells, held, sightings) if cells is not None else None
        if group is not None:
            group.append(place)
            continue
        groups.append([place])
        if cells is not None:
            held.append((groups[-1], cells))
    return groups


def _group_of(
    one: Sighting,
    cells: npt.NDArray[np.float32],
    held: Sequence[tuple[list[int], npt.NDArray[np.float32]]],
    sightings: Sequence[Sighting],
) -> list[int] | None:
    for group, first_cells in held:
        first, apart = sightings[group[0]], float(np.abs(cells - first_cells).max())
        alike = apart <= SAVED_AGAIN or (apart <= MAX_DIFFERENCE and _in_one_burst(first, one))
        if alike and _same_boxes(first.boxes, one.boxes):
            return group
    return None


def _cells(one: Sighting) -> npt.NDArray[np.float32] | None:
    """Return a thumbnail without its mean colour, (9, 16, 3): exposure drifts."""
    if one.thumbnail is None or len(one.thumbnail) != THUMBNAIL_HW[0] * THUMBNAIL_HW[1] * 3:
        return None
    cells = np.frombuffer(one.thumbnail, dtype=np.uint8).reshape(*THUMBNAIL_HW, 3).astype(np.float32)
    centred: npt.NDArray[np.float32] = cells - cells.mean(axis=(0, 1))
    return centred


def _in_one_burst(first: Sighting, other: Sighting) -> bool:
    moments = [_moment(one.captured_at) for one in (first, other)]
    if moments[0] is None and moments[1] is None:
        return abs(first.place - other.place) <= BURST_FILES
    if moments[0] is None or moments[1] is None:
        return False
    return abs((moments[0] - moments[1]).total_seconds()) <= BURST_S


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None) if text else None
    except ValueError:
        return None


def _same_boxes(first: Sequence[Box], other: Sequence[Box]) -> bool:
    """Return whether each box has its own one at the same place."""
    if len(first) != len(other):
        return False
    if not first:
        return True
    shared = box_iou_batch([box.xyxy for box in first], [box.xyxy for box in other]) >= SAME_PLACE_IOU  # (N, N)
    partner = shared.argmax(axis=1)
    return bool(shared.any(axis=1).all()) and len(set(partner.tolist())) == len(first)
