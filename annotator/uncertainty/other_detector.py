"""Compares a job's boxes with those of another detector, as MegaDetector writes them: a third prediction to look at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from annotator.label_formats.find_images import ImageFinder, ImageNotFound
from annotator.label_formats.megadetector import LEAST_CONFIDENCE, read_megadetector
from annotator.label_formats.records import RawRecord, RecordProblem
from db.domain.answers import final_answer
from db.domain.box_overlaps import box_iou_batch
from db.domain.files import FoundFile
from db.domain.results import ImageResult
from db.domain.species import LabelSet

SAME_BOX_IOU = 0.5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BoxCounts:
    """How many fish both box, and how many one alone does."""

    both: int = 0
    only_job: int = 0
    only_file: int = 0

    def __add__(self, other: BoxCounts) -> BoxCounts:
        return BoxCounts(self.both + other.both, self.only_job + other.only_job, self.only_file + other.only_file)

    @property
    def apart(self) -> int:
        """How many boxes the other one lacks."""
        return self.only_job + self.only_file


@dataclass(frozen=True)
class ComparedImage:
    """One image. file: below the job's folder."""

    file: str
    camera: str
    boxes: BoxCounts


@dataclass(frozen=True)
class DetectorComparison:
    """What came of a comparison. images: that both speak of; unnamed: of the job, which the file does not name.

    problems: records of the file that are of no image of the job, or were not understood. differing: the images of
    which one boxes more than the other, the most different first.
    """

    images: int
    unnamed: int
    boxes: BoxCounts
    by_camera: dict[str, BoxCounts]
    differing: tuple[ComparedImage, ...]
    problems: tuple[str, ...]


def compare_with_detector(
    results: Iterable[ImageResult], path: Path, *, root: bytes, label_set: LabelSet, least: float = LEAST_CONFIDENCE
) -> DetectorComparison:
    """Return how a job's final boxes and those of a MegaDetector file agree, whatever their species.

    Two boxes are one fish where their IoU is at least 0.5, each with one other at the most.
    root: the job's folder. least: the confidence that a box of the file needs.

    Raises:
        LabelFileError: not MegaDetector's output.
    """
    records = list(read_megadetector(path, label_set, least=least))
    ours = {result.file: result for result in results if result.width_px and result.height_px}
    named = [record for record in records if isinstance(record, RawRecord)]
    files = [FoundFile(os.path.dirname(file), os.path.basename(file), 0, 0) for file in ours]
    finder = ImageFinder(files, root=root, written=[record.image_name for record in named])
    problems = [str(record) for record in records if isinstance(record, RecordProblem)]
    compared: dict[bytes, ComparedImage] = {}
    for record in named:
        problems += [str(problem) for problem in record.problems]
        try:
            found = finder.find(record.image_name)
        except ImageNotFound as error:
            problems.append(f"{record.place}: {error}")
            continue
        result = ours[found.folder + b"/" + found.name]
        compared[result.file] = ComparedImage(result.path, result.camera, _counts(result, record))
    return _summed(list(compared.values()), unnamed=len(ours) - len(compared), problems=problems)


def _summed(images: Sequence[ComparedImage], *, unnamed: int, problems: Sequence[str]) -> DetectorComparison:
    by_camera: dict[str, BoxCounts] = {}
    for one in images:
        by_camera[one.camera] = by_camera.get(one.camera, BoxCounts()) + one.boxes
    differing = sorted((one for one in images if one.boxes.apart), key=lambda one: (-one.boxes.apart, one.file))
    return DetectorComparison(
        images=len(images),
        unnamed=unnamed,
        boxes=sum(by_camera.values(), BoxCounts()),
        by_camera=dict(sorted(by_camera.items())),
        differing=tuple(differing),
        problems=tuple(problems),
    )


def _counts(result: ImageResult, record: RawRecord) -> BoxCounts:
    answer = final_answer(result)
    ours = np.array([found.box.xyxy for found in answer.boxes] if answer is not None else []).reshape(-1, 4)
    sides = np.array([result.width_px, result.height_px] * 2, dtype=np.float64)
    theirs = np.array([box.xyxy for box in record.boxes]).reshape(-1, 4) * sides
    both = same_boxes(ours, theirs)
    return BoxCounts(both, len(ours) - both, len(theirs) - both)


def same_boxes(first: Floats, second: Floats) -> int:
    """Return how many boxes of two sets are one: the most pairs of an IoU of at least 0.5, each box in one at most.

    first: (N, 4), second: (M, 4), xyxy of one frame.

    >>> same_boxes(np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 9], [0, 0, 9, 10]]))
    1
    """
    enough = box_iou_batch(first, second) >= SAME_BOX_IOU
    rows, columns = linear_sum_assignment(enough.astype(np.float64), maximize=True)
    return int(enough[rows, columns].sum())
