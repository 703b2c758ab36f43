"""MegaDetector's batch output, format 1.6, for Timelapse, AddaxAI and the like.

Source: https://lila.science/megadetector-output-format
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from db.domain.answers import AnswerBox
from db.domain.results import ImageResult
from worker.results.device import told_of_device
from worker.results.files import new_file
from worker.results.options import Export, now_text

FORMAT_VERSION = "1.6"
_FISH = "1"


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the document; images that were read but whose size is not known cannot be normalised and are returned."""
    problems = []
    with new_file(out) as file:
        file.write("{\n")
        for key, value in _head(export).items():
            file.write(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n")
        file.write('"images": [')
        separator = "\n"
        for result in results:
            if result.failure is None and not (result.width_px and result.height_px):
                problems.append(f"{result.path}: its size is not known")
                continue
            file.write(separator + json.dumps(_image(result, export), ensure_ascii=False))
            separator = ",\n"
        file.write("\n]\n}\n")
    return problems


def _head(export: Export) -> dict[str, object]:
    species = {str(number): name for number, name in enumerate(export.label_set.fish, start=1)}
    info = {
        "format_version": FORMAT_VERSION,
        "detector": f"taffrail: {export.sources}",
        "detection_completion_time": now_text(),
        "classifier": f"taffrail: {export.sources}",
        "classification_completion_time": now_text(),
    }
    return {"info": info, "detection_categories": {_FISH: "fish"}, "classification_categories": species}


def _image(result: ImageResult, export: Export) -> dict[str, object]:
    answer = export.answer(result)
    if answer is None:
        return {"file": result.path, "detections": None, "failure": result.failure}
    width_px, height_px = result.width_px or 0, result.height_px or 0
    surest_first = sorted(answer.boxes, key=lambda found: -found.fish_probability)
    image: dict[str, object] = {
        "file": result.path,
        "width": width_px,
        "height": height_px,
        "detections": [_detection(found, (width_px, height_px), export) for found in surest_first],
    }
    image |= told_of_device(result.taken_with)
    return image | ({"datetime": result.captured_at.replace("T", " ")} if result.captured_at else {})


def _detection(found: AnswerBox, size: tuple[int, int], export: Export) -> dict[str, object]:
    box, (width_px, height_px) = found.box, size
    sides = [
        box.x_min / width_px,
        box.y_min / height_px,
        (box.x_max - box.x_min) / width_px,
        (box.y_max - box.y_min) / height_px,
    ]
    return {
        "category": _FISH,
        "conf": round(found.fish_probability, 4),
        "bbox": [round(side, 5) for side in sides],
        "classifications": [[str(export.label_set.fish.index(found.species) + 1), round(found.probability, 4)]],
    }
