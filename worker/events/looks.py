"""What a crop looks like in six figures: an animal's own brightness and colours, to know it again by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from worker.events.sightings import CameraSequence, Floats


def look_of(pixels: npt.NDArray[np.uint8]) -> tuple[float, ...]:
    """Return a crop's look: mean and spread of its brightness and of its two colour differences.

    pixels: (H, W, 3) uint8. The middle of the crop counts, where the fish is: a margin of deck lies around it.
    """
    rows, columns = pixels.shape[:2]
    middle = pixels[rows // 5 : rows - rows // 5, columns // 5 : columns - columns // 5].astype(np.float64)
    red, green, blue = (middle[..., channel] for channel in range(3))
    parts = ((red + green + blue) / 3, red - green, blue - (red + green) / 2)
    return tuple(float(figure) for part in parts for figure in (part.mean(), part.std()))


def standardised(sequences: Sequence[CameraSequence]) -> list[CameraSequence]:
    """Return the sequences of one camera with looks as deviations from the camera's mean, in its spreads.

    Light and lens are the camera's, not the animal's. Where a sighting has no look, none has.
    """
    looks = [sighting.look for sequence in sequences for sighting in sequence.sightings]
    if not looks or not all(looks):
        return [_with_looks(sequence, None, None) for sequence in sequences]
    held = np.array(looks)
    return [_with_looks(sequence, held.mean(axis=0), held.std(axis=0) + 1e-6) for sequence in sequences]


def _with_looks(sequence: CameraSequence, mean: Floats | None, spread: Floats | None) -> CameraSequence:
    def changed(look: tuple[float, ...]) -> tuple[float, ...]:
        return () if mean is None or spread is None else tuple(((np.array(look) - mean) / spread).tolist())

    images = tuple(
        replace(image, sightings=tuple(replace(seen, look=changed(seen.look)) for seen in image.sightings))
        for image in sequence.images
    )
    return replace(sequence, images=images)
