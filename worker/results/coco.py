"""COCO: a dataset JSON (images, categories, boxes) and beside it a detections JSON for `loadRes`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from db.domain.answers import AnswerBox, FinalAnswer
from db.domain.results import ImageResult
from worker.results.device import told_of_device
from worker.results.files import new_file
from worker.results.options import Export, no_place_among_boxes, now_text

_COPY_CHARACTERS = 2**20


def detections_file(out: Path) -> Path:
    """Return where the detections go: `x.detections.json` beside `x.json`."""
    return out.with_name(f"{out.stem}.detections.json")


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write both files. Images whose size is not known have no place in COCO and are returned."""
    problems = []
    # Images come before annotations in one document; those wait in a file, not in memory.
    with (
        new_file(out) as dataset,
        new_file(detections_file(out)) as detections,
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=out.absolute().parent) as annotations,
    ):
        dataset.write(f'{{"info": {json.dumps(_info(export))},\n"licenses": [],\n"images": [')
        detections.write("[")
        image_id = annotation_id = 0
        for result in results:
            answer = export.answer(result)
            if problem := no_place_among_boxes(result, answer):
                problems.append(f"{result.path}: {problem}")
                continue
            assert answer is not None
            image_id += 1
            _item(dataset, _image(result, answer, image_id), first=image_id == 1)
            for found in answer.boxes:
                annotation_id += 1
                said = _said(found, image_id, export)
                _item(detections, said, first=annotation_id == 1)
                _item(annotations, _annotation(said, annotation_id, found), first=annotation_id == 1)
        dataset.write(f'],\n"categories": {json.dumps(_categories(export))},\n"annotations": [')
        _copy(annotations, dataset)
        dataset.write("]}\n")
        detections.write("]\n")
    return problems


def _info(export: Export) -> dict[str, object]:
    return {
        "description": f"{export.title}: answers of {export.sources}",
        "version": "1",
        "date_created": now_text(),
    }


def _categories(export: Export) -> list[dict[str, object]]:
    fish = enumerate(export.label_set.fish, start=1)
    return [{"id": number, "name": name, "supercategory": "fish"} for number, name in fish]


def _image(result: ImageResult, answer: FinalAnswer, image_id: int) -> dict[str, object]:
    image: dict[str, object] = {
        "id": image_id,
        "file_name": result.path,
        "width": result.width_px,
        "height": result.height_px,
        "camera": result.camera,
        "final_species": answer.species,
        "answered_by": str(answer.by),
    }
    image |= {"date_captured": result.captured_at.replace("T", " ")} if result.captured_at else {}
    return image | told_of_device(result.taken_with) | ({"note": result.note} if result.note else {})


def _said(found: AnswerBox, image_id: int, export: Export) -> dict[str, object]:
    box = found.box
    xywh = [box.x_min, box.y_min, box.x_max - box.x_min, box.y_max - box.y_min]
    return {
        "image_id": image_id,
        "category_id": export.label_set.fish.index(found.species) + 1,
        "bbox": [round(value, 2) for value in xywh],
        "score": round(found.score, 4),
        "probability": round(found.probability, 4),
        "fish_probability": round(found.fish_probability, 4),
    }


def _annotation(said: dict[str, object], annotation_id: int, found: AnswerBox) -> dict[str, object]:
    return {"id": annotation_id, **said, "area": round(found.box.area_px, 2), "iscrowd": 0}


def _item(file: IO[str], value: dict[str, object], *, first: bool) -> None:
    file.write(("\n" if first else ",\n") + json.dumps(value, ensure_ascii=False))


def _copy(source: IO[str], target: IO[str]) -> None:
    source.seek(0)
    while text := source.read(_COPY_CHARACTERS):
        target.write(text)
