"""Cuts a camera's images into sequences where the recorder stood still or nothing was seen for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from worker.events.sightings import CameraSequence, SequenceImage

# An animal that was out of sight for longer is never taken for the same one.
QUIET_S = 180.0


def cut_sequence(whole: CameraSequence, *, quiet_s: float = QUIET_S) -> list[CameraSequence]:
    """Return the parts of a camera's images in which something was seen; no animal goes on from one to the next.

    A part begins with a sighting and ends with one; images between parts, where nothing was seen, belong to none.
    """
    return [replace(whole, images=tuple(part)) for part in _parts(whole.images, quiet_s)]


def _parts(images: tuple[SequenceImage, ...], quiet_s: float) -> Iterator[list[SequenceImage]]:
    part: list[SequenceImage] = []
    waiting: list[SequenceImage] = []  # since the last sighting: part of the sequence only if another one follows
    for image in images:
        if part and image.time_s - part[-1].time_s > quiet_s:
            yield part
            part, waiting = [], []
        if image.sightings:
            part += [*waiting, image]
            waiting = []
        elif part:
            waiting.append(image)
    if part:
        yield part
