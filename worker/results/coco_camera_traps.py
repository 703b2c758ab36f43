"""COCO Camera Traps: COCO with a place and a time for every image, and an image's species where nothing is boxed.

Category 0 is "empty". Source: https://lila.science/coco-camera-traps
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from db.domain.answers import FinalAnswer
from db.domain.results import ImageResult
from db.domain.species import NO_FISH
from worker.results.device import told_of_device
from worker.results.files import new_file
from worker.results.options import Export, now_text

_EMPTY = 0


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the document. Images whose size is not known have no place in it and are returned."""
    problems: list[str] = []
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    categories = {name: number for number, name in enumerate(export.label_set.fish, start=1)} | {NO_FISH: _EMPTY}
    for result in results:
        answer = export.answer(result)
        if answer is None or not result.width_px or not result.height_px:
            problems.append(f"{result.path}: its size is not known")
            continue
        images.append(_image(result))
        annotations += _annotations(result, answer, categories)
    named = [{"id": number, "name": "empty" if name == NO_FISH else name} for name, number in categories.items()]
    info = {
        "version": "1.0",
        "description": f"{export.title}: answers of {export.sources}",
        "date_created": now_text(),
        "contributor": "Taffrail",
    }
    document = {"info": info, "images": images, "categories": named, "annotations": annotations}
    with new_file(out) as file:
        json.dump(document, file, ensure_ascii=False, indent=1)
    return problems


def _image(result: ImageResult) -> dict[str, object]:
    image: dict[str, object] = {
        "id": str(result.item_id),
        "file_name": result.path,
        "width": result.width_px,
        "height": result.height_px,
        "location": result.camera,
    }
    image |= {"datetime": result.captured_at.replace("T", " ")} if result.captured_at else {}
    return image | told_of_device(result.taken_with) | ({"note": result.note} if result.note else {})


def _annotations(result: ImageResult, answer: FinalAnswer, categories: dict[str, int]) -> list[dict[str, object]]:
    """A fish without a box is an annotation of the whole image, as "empty" is."""
    shared = {"image_id": str(result.item_id), "sequence_level_annotation": False}
    if not answer.boxes:
        return [{"id": f"{result.item_id}-0", "category_id": categories[answer.species], **shared}]
    return [
        {
            "id": f"{result.item_id}-{number}",
            "category_id": categories[found.species],
            "bbox": [
                round(side, 2)
                for side in (
                    found.box.x_min,
                    found.box.y_min,
                    found.box.x_max - found.box.x_min,
                    found.box.y_max - found.box.y_min,
                )
            ],
            "score": round(found.score, 4),
            **shared,
        }
        for number, found in enumerate(answer.boxes, start=1)
    ]
