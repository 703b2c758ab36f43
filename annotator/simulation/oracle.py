"""A person who knows the truth: edits labelme files as people do, and counts what an order of looking finds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from annotator.errors import LabelmeError
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, read_labelme, write_labelme
from annotator.labelme.marks import FLAG_NO_FISH, FLAG_REVIEWED
from annotator.labelme.shown import HIDDEN_KEY, box_around
from db.domain.box_overlaps import box_iou_batch
from db.domain.labels import ImageLabel, LabelledBox

# A person leaves a box that fits so well, and draws anew what fits worse than the lower bar.
GOOD_FIT_IOU = 0.7
SAME_FISH_IOU = 0.5

Key = TypeVar("Key")


@dataclass(frozen=True)
class Simulation:
    """What the oracle did with a folder. unknown: files whose image the truth does not know, left untouched."""

    answered: int
    unknown: tuple[str, ...]


def answer_folder(folder: Path, truth: Mapping[str, ImageLabel]) -> Simulation:
    """Return what was done: every labelme file of a review folder is edited to say the truth.

    truth: by the image's content hash.

    Raises:
        LabelmeError: a file cannot be read.
    """
    answered = 0
    unknown: list[str] = []
    for file in _files(folder):
        shown = read_labelme(file)
        said = truth.get(_content_hash(shown, file=file))
        if said is None:
            unknown.append(file.name)
            continue
        write_labelme(file, answer(shown, said))
        answered += 1
    return Simulation(answered, tuple(unknown))


def contents_of(folder: Path) -> list[str]:
    """Return the content hashes of a review folder's images.

    Raises:
        LabelmeError: a file cannot be read.
    """
    return [_content_hash(read_labelme(file), file=file) for file in _files(folder)]


def answer(shown: LabelmeFile, truth: ImageLabel) -> LabelmeFile:
    """Return a file as a person who knows the truth leaves it: good boxes kept, others repaired, removed or added."""
    boxes = [shape for shape in shown.shapes if shape.shape_type == "rectangle"]
    others = tuple(shape for shape in shown.shapes if shape.shape_type != "rectangle")
    partners = _partners(boxes, truth.boxes)
    fish = tuple(
        _repaired(boxes[partners[place]], labelled) if place in partners else _drawn(labelled)
        for place, labelled in enumerate(truth.boxes)
    )
    flag = FLAG_NO_FISH if truth.is_empty else FLAG_REVIEWED
    return replace(shown, shapes=(*fish, *others), flags={**shown.flags, flag: True})


def effort_curve(order: Sequence[Key], wrong: Collection[Key]) -> npt.NDArray[np.int64]:
    """Return how many wrong images were found after looking at 0, 1, 2, ... images in an order.

    >>> effort_curve(["a", "b", "c"], {"a", "c"}).tolist()
    [0, 1, 1, 2]
    """
    hits = np.fromiter((key in wrong for key in order), dtype=np.int64, count=len(order))
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(hits)])


def share_found(order: Sequence[Key], wrong: Collection[Key], *, looked_share: float = 0.2) -> float:
    """Return the share of the wrong images found by looking at the first part of an order; 1 where none is wrong.

    Raises:
        ValueError: the part is outside 0..1.

    >>> share_found(["a", "b", "c", "d", "e"], {"a", "c"})
    0.5
    """
    if not 0.0 <= looked_share <= 1.0:
        raise ValueError(f"looked share is not between 0 and 1: {looked_share}")
    curve = effort_curve(order, wrong)
    return float(curve[round(looked_share * len(order))] / curve[-1]) if curve[-1] else 1.0


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.json") if not file.name.startswith("."))


def _partners(boxes: Sequence[LabelmeShape], fish: Sequence[LabelledBox]) -> dict[int, int]:
    """Return for each true fish the place of the shown box that fits it best, each box once."""
    overlaps = box_iou_batch(
        [labelled.box.xyxy for labelled in fish], [box_around(shape.points_px).xyxy for shape in boxes]
    )  # (fish, boxes)
    partners: dict[int, int] = {}
    for place, box in zip(*np.unravel_index(np.argsort(-overlaps, axis=None), overlaps.shape), strict=True):
        fits = overlaps[place, box] >= SAME_FISH_IOU
        if fits and int(place) not in partners and int(box) not in partners.values():
            partners[int(place)] = int(box)
    return partners


def _repaired(shape: LabelmeShape, labelled: LabelledBox) -> LabelmeShape:
    fit = box_iou_batch([labelled.box.xyxy], [box_around(shape.points_px).xyxy])[0, 0]
    points = shape.points_px if fit >= GOOD_FIT_IOU else _corners(labelled)
    return replace(shape, label=labelled.species, points_px=points)


def _drawn(labelled: LabelledBox) -> LabelmeShape:
    return LabelmeShape(labelled.species, _corners(labelled), "rectangle")


def _corners(labelled: LabelledBox) -> tuple[tuple[float, float], ...]:
    x_min, y_min, x_max, y_max = labelled.box.xyxy
    return ((x_min, y_min), (x_max, y_max))


def _content_hash(shown: LabelmeFile, *, file: Path) -> str:
    hidden = shown.extra.get(HIDDEN_KEY)
    found = hidden.get("sha256") if isinstance(hidden, dict) else None
    if not isinstance(found, str):
        raise LabelmeError(f"{file}: was never exported: it lacks the ids that `cli review export` writes")
    return found
