"""The competition's box files: a folder with one JSON a species, each a list of images with their boxes.

An image without fish is in `NoF_labels.json` without boxes; one of two species is in two files.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from db.domain.answers import AnswerBox, FinalAnswer
from db.domain.results import ImageResult
from worker.results.files import new_folder
from worker.results.options import Export

_MARKS = str.maketrans({mark: "_" for mark in "/\\:"})


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the folder; every image with an answer has a place in it, so nothing is returned."""
    records: dict[str, list[dict[str, object]]] = defaultdict(list)
    for result in results:
        if (answer := export.answer(result)) is not None:
            for species, boxes in _by_species(answer).items():
                annotations = [one for box in boxes for one in _annotations(box)]
                records[species].append({"class": "image", "filename": result.path, "annotations": annotations})
    with new_folder(out) as folder:
        for species in export.label_set.names:
            file = folder / f"{species.translate(_MARKS)}_labels.json"
            file.write_text(json.dumps(records[species], ensure_ascii=False, indent=1), encoding="utf-8")
    return []


def _by_species(answer: FinalAnswer) -> dict[str, list[AnswerBox]]:
    found: dict[str, list[AnswerBox]] = {answer.species: []}
    for box in answer.boxes:
        found.setdefault(box.species, []).append(box)
    return found


def _annotations(found: AnswerBox) -> Iterable[dict[str, object]]:
    box = found.box
    size = {"width": box.x_max - box.x_min, "height": box.y_max - box.y_min}
    yield {"class": "rect", "x": box.x_min, "y": box.y_min, **size}
    for name, point in (("head", found.head_px), ("tail", found.tail_px)):
        if point is not None:
            yield {"class": name, "x": point[0], "y": point[1]}
