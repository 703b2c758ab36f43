"""Whether a prediction was wrong of an image: the one definition that miss rate and review effort share."""

from __future__ import annotations

from collections.abc import Iterable

from db.domain.boxes import iou
from db.domain.labels import ImageLabel
from db.domain.predictions import Detection

# The usual bar for "found" since PASCAL VOC.
FOUND_IOU = 0.5


def is_wrong(species: str, detections: Iterable[Detection], said: ImageLabel, *, found_iou: float = FOUND_IOU) -> bool:
    """Return whether a prediction was wrong: another species, or no box of either head that finds the largest fish.

    species: the prediction's final one. said: what is in the image; where it has no boxes only the species counts.

    >>> is_wrong("ALB", [], ImageLabel("NoF"))
    True
    """
    if species != said.species:
        return True
    largest = said.largest
    if largest is None:
        return False
    return all(iou(found.box, largest.box) < found_iou for found in detections)
