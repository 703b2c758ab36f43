"""Leaves out what is seen at one place for most of a recording: gear that the detector takes for a fish."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from db.domain.box_overlaps import box_iou_batch
from worker.events.sightings import CameraSequence, Floats, SequenceImage

Flags = npt.NDArray[np.bool_]
# A recording is cut into so many parts of at least this length each; a shorter one tells nothing of what is steady.
_PARTS = 20
_LEAST_PART_S, _LEAST_PART_IMAGES = 15.0, 5
# Seen in more parts than this at one place, it stays longer than any animal lies on deck.
_STEADY_SHARE = 0.6
_SAME_PLACE_IOU = 0.5
# Fewer others do not tell how sure the detector is of fish here.
_FEWEST_OTHERS = 5


def without_steady(sequence: CameraSequence) -> CameraSequence:
    """Return a camera's recording without sightings of what stands at one place for most of it.

    A place is the box of its first sighting; later ones belong to the place that they overlap most, by half at least. A
    recorder that stood still in between counts by its images, not by the clock. Where fish are put at one place (a
    measuring board), their boxes are the surest ones; so only a place that is less sure than most others is left out.
    """
    times_s = np.array([image.time_s for image in sequence.images])
    short = len(times_s) < _PARTS * _LEAST_PART_IMAGES or times_s[-1] - times_s[0] < _PARTS * _LEAST_PART_S
    if short:
        return sequence
    part_of = np.arange(len(times_s)) * _PARTS // len(times_s)
    places, of_image = _places(sequence.images)
    seen = np.zeros((places, _PARTS), dtype=bool)
    for part, here in zip(part_of.tolist(), of_image, strict=True):
        seen[here, part] = True
    steady = _less_sure(sequence, of_image, seen.mean(axis=1) > _STEADY_SHARE)
    if not steady.any():
        return sequence
    images = tuple(
        replace(
            image, sightings=tuple(one for one, place in zip(image.sightings, here, strict=True) if not steady[place])
        )
        for image, here in zip(sequence.images, of_image, strict=True)
    )
    return replace(sequence, images=images)


def _less_sure(sequence: CameraSequence, of_image: list[list[int]], steady: Flags) -> Flags:
    """Return which of the steady places are less sure than most sightings elsewhere. (places,)"""
    place = np.array([one for here in of_image for one in here], dtype=np.int64)
    confidence = np.array([sighting.confidence for sighting in sequence.sightings])
    others = confidence[~steady[place]]
    if len(others) < _FEWEST_OTHERS:
        return np.zeros(len(steady), dtype=bool)
    counts = np.maximum(np.bincount(place, minlength=len(steady)), 1)
    mean = np.bincount(place, weights=confidence, minlength=len(steady)) / counts
    return np.asarray(steady & (mean < np.median(others)))


def _places(images: tuple[SequenceImage, ...]) -> tuple[int, list[list[int]]]:
    """Return how many places there are, and the place of each sighting of each image."""
    count = sum(len(image.sightings) for image in images)
    first: Floats = np.zeros((max(count, 1), 4))
    known = 0
    found = []
    for image in images:
        here = []
        for sighting in image.sightings:
            box = np.array([sighting.box.xyxy])
            overlap = box_iou_batch(box, first[:known])[0] if known else np.zeros(0)  # (known,)
            place = int(np.argmax(overlap)) if known and overlap.max() >= _SAME_PLACE_IOU else known
            if place == known:
                first[known] = box[0]
                known += 1
            here.append(place)
        found.append(here)
    return known, found
