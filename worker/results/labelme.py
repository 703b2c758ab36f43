"""labelme: a folder with every image and its JSON beside it; each fish is a rectangle, "no fish" a flag."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from db.domain.answers import AnswerBox, FinalAnswer, box_words
from db.domain.results import ImageResult
from db.domain.species import NO_FISH
from worker.results.bring_images import bring_image
from worker.results.files import new_folder
from worker.results.options import Export, no_place_among_boxes

# labelme reads files of its own and of older versions; this is the oldest that has `description`.
FORMAT_VERSION = "5.5.0"
_POINTS = ("head", "tail")


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the folder. Images that cannot be brought, or have no place of their own in it, are returned."""
    problems = []
    with new_folder(out) as folder:
        for result in results:
            problem = _write_image(os.fsencode(folder), result, export)
            if problem:
                problems.append(f"{result.path}: {problem}")
        names = [*export.label_set.fish, *_POINTS]
        (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return problems


def _write_image(folder: bytes, result: ImageResult, export: Export) -> str | None:
    answer = export.answer(result)
    if problem := no_place_among_boxes(result, answer):
        return problem
    assert answer is not None
    file = os.path.join(folder, os.path.splitext(result.relative)[0] + b".json")
    if os.path.lexists(file):
        return "another image beside it has the same name but for the ending, and labelme has one file for both"
    if problem := bring_image(os.path.join(folder, result.relative), result, export):
        return problem
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "x", encoding="ascii") as text:
        json.dump(_document(result, answer), text, indent=2)
    return None


def _document(result: ImageResult, answer: FinalAnswer) -> dict[str, object]:
    return {
        "version": FORMAT_VERSION,
        "flags": {"reviewed": answer.reviewer is not None, "no_fish": answer.species == NO_FISH, "unsure": False},
        "shapes": [shape for found in answer.boxes for shape in _shapes(found)],
        "imagePath": os.path.basename(result.relative).decode("utf-8", "surrogateescape"),
        "imageData": None,
        "imageHeight": result.height_px,
        "imageWidth": result.width_px,
    }


def _shapes(found: AnswerBox) -> Iterable[dict[str, object]]:
    """Yield the box, and its head and tail where a person gave them."""
    box = found.box
    yield _shape(found.species, [[box.x_min, box.y_min], [box.x_max, box.y_max]], "rectangle", box_words(found))
    for name, point in (("head", found.head_px), ("tail", found.tail_px)):
        if point is not None:
            yield _shape(name, [list(point)], "point", "")


def _shape(label: str, points: list[list[float]], shape_type: str, description: str) -> dict[str, object]:
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": description,
        "shape_type": shape_type,
        "flags": {},
        "mask": None,
    }
