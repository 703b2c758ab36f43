"""YOLO: `labels/`, a text file an image with a line a fish (empty for background), and `data.yaml` with the names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import yaml

from db.domain.answer_boxes import box_species
from db.domain.results import ImageResult, StoredDetection
from worker.results.files import new_folder
from worker.results.options import Export

_LONGEST_NAME = 255  # bytes, on every common file system


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the folder. Images whose label file has another's name, or none that a disk takes, are returned."""
    problems = []
    classes = {name: number for number, name in enumerate(export.label_set.fish)}
    with new_folder(out) as folder:
        _write_names(folder / "data.yaml", export)
        labels = os.fsencode(folder / "labels")
        os.mkdir(labels)
        if os.path.isdir(export.job.root):  # and not a URL
            # YOLO finds labels/ beside images/; a link saves the copy.
            os.symlink(export.job.root, os.fsencode(folder / "images"))
        for result in results:
            problem = _write_image(labels, result, classes, export)
            if problem:
                problems.append(f"{result.path}: {problem}")
    return problems


def _write_image(labels: bytes, result: ImageResult, classes: dict[str, int], export: Export) -> str | None:
    if result.prediction is None or not result.width_px or not result.height_px:
        return "its size is not known"
    file = os.path.join(labels, os.path.splitext(result.relative)[0] + b".txt")
    if len(os.path.basename(file)) > _LONGEST_NAME:
        return "its name is too long for a label file"
    size = (result.width_px, result.height_px)
    said = result.prediction
    lines = [_line(found, classes[box_species(said, found)[0]], size) for found in export.chosen(said)]
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "x", encoding="ascii") as text:
            text.writelines(lines)
    except FileExistsError:
        return "another image beside it has the same name but for the ending, and YOLO has one label file for both"
    return None


def _line(found: StoredDetection, number: int, size: tuple[int, int]) -> str:
    box, (width_px, height_px) = found.detection.box, size
    x, y = (box.x_min + box.x_max) / 2 / width_px, (box.y_min + box.y_max) / 2 / height_px
    width, height = (box.x_max - box.x_min) / width_px, (box.y_max - box.y_min) / height_px
    return f"{number} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"


def _write_names(file: Path, export: Export) -> None:
    # Lists, not a mapping by number: YAML keys that are numbers trip some readers.
    names = list(export.label_set.fish)
    document = {"train": "images", "val": "images", "nc": len(names), "names": names}
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
