"""What events are made of: sightings in the images of a camera, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sighting:
    """One detection at one moment.

    detection_id: of the database, or any number that is unique. image: the image's key. time_s: seconds, any origin
    that is the same for the camera. species: probabilities in the label set's order. look: what the crop looks like,
    see `worker.events.looks`; empty where nobody looked.
    """

    detection_id: int
    image: int
    time_s: float
    box: Box
    confidence: float
    species: tuple[float, ...]
    look: tuple[float, ...] = ()


@dataclass(frozen=True)
class SequenceImage:
    """One image of a camera with its sightings. key: unique, such as the item's id."""

    key: int
    time_s: float
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True)
class CameraSequence:
    """The images of one camera in the order of time.

    width_px, height_px: of its images; boxes are compared as shares of the frame's width.
    """

    camera: str
    width_px: int
    height_px: int
    images: tuple[SequenceImage, ...]

    @property
    def sightings(self) -> list[Sighting]:
        """All sightings in the order of time."""
        return [sighting for image in self.images for sighting in image.sightings]


@dataclass(frozen=True, eq=False)
class Track:
    """Sightings that follow each other as those of one animal; at least one, in the order of time."""

    sightings: tuple[Sighting, ...]

    @property
    def start_s(self) -> float:
        """When it begins, seconds."""
        return self.sightings[0].time_s

    @property
    def end_s(self) -> float:
        """When it ends, seconds."""
        return self.sightings[-1].time_s

    @cached_property
    def log_species(self) -> Floats:
        """The mean logarithm of the species probabilities, (S,)."""
        return mean_log([sighting.species for sighting in self.sightings])

    @cached_property
    def look(self) -> Floats:
        """The mean look, (L,)."""
        return np.asarray(np.mean([sighting.look for sighting in self.sightings], axis=0), dtype=np.float64)


def mean_log(probabilities: Sequence[Sequence[float]]) -> Floats:
    """Return the mean logarithm of some distributions, (S,), a probability of 0 taken as 0.001.

    >>> mean_log([[0.5, 0.5], [0.5, 0.5]]).round(3).tolist()
    [-0.693, -0.693]
    """
    logs: Floats = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), 1e-3, 1.0)).mean(axis=0)  # (S,)
    return logs


def join(tracks: Sequence[Track]) -> Track:
    """Return tracks of one animal as one track."""
    return Track(tuple(sorted((seen for track in tracks for seen in track.sightings), key=lambda seen: seen.time_s)))
