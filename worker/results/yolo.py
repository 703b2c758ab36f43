"""YOLO: `images/` and `labels/` of the same names, a line a fish (none for background), and `data.yaml`.

Images are copied, or linked where the user asks for it: Ultralytics resolves a link to the folder of images, and then
looks for labels beside the originals; and it rewrites damaged JPEGs in their place, which a link would pass on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import yaml

from db.domain.answers import AnswerBox
from db.domain.results import ImageResult
from worker.results.bring_images import bring_image
from worker.results.files import new_folder
from worker.results.options import Export, no_place_among_boxes

_LONGEST_NAME = 255  # bytes, on every common file system


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the folder. Images that cannot be brought, or have no place of their own in it, are returned."""
    problems = []
    classes = {name: number for number, name in enumerate(export.label_set.fish)}
    with new_folder(out) as folder:
        _write_names(folder / "data.yaml", export)
        for result in results:
            problem = _write_image(os.fsencode(folder), result, classes, export)
            if problem:
                problems.append(f"{result.path}: {problem}")
    return problems


def _write_image(folder: bytes, result: ImageResult, classes: dict[str, int], export: Export) -> str | None:
    answer = export.answer(result)
    if problem := no_place_among_boxes(result, answer):
        return problem
    assert answer is not None and result.width_px and result.height_px
    stem, _ = os.path.splitext(result.relative)
    label = os.path.join(folder, b"labels", stem + b".txt")
    if len(os.path.basename(label)) > _LONGEST_NAME:
        return "its name is too long for a label file"
    if os.path.lexists(label):
        return "another image beside it has the same name but for the ending, and YOLO has one label file for both"
    if problem := bring_image(os.path.join(folder, b"images", result.relative), result, export):
        return problem
    lines = [_line(found, classes[found.species], (result.width_px, result.height_px)) for found in answer.boxes]
    os.makedirs(os.path.dirname(label), exist_ok=True)
    with open(label, "x", encoding="ascii") as text:
        text.writelines(lines)
    return None


def _line(found: AnswerBox, number: int, size: tuple[int, int]) -> str:
    box, (width_px, height_px) = found.box, size
    x, y = (box.x_min + box.x_max) / 2 / width_px, (box.y_min + box.y_max) / 2 / height_px
    width, height = (box.x_max - box.x_min) / width_px, (box.y_max - box.y_min) / height_px
    return f"{number} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"


def _write_names(file: Path, export: Export) -> None:
    # Lists, not a mapping by number: YAML keys that are numbers trip some readers.
    names = list(export.label_set.fish)
    document = {"train": "images", "val": "images", "nc": len(names), "names": names}
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
