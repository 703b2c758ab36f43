"""What the tests of the readers share: a reader's records apart from its problems, and files in every format."""

from __future__ import annotations

import json
from pathlib import Path

from annotator.label_formats.records import RawBox, RawRecord, RecordProblem, Records


def parts(records: Records) -> tuple[list[RawRecord], list[str]]:
    """Return a reader's records, and its problems as people read them."""
    everything = list(records)
    return (
        [record for record in everything if isinstance(record, RawRecord)],
        [str(record) for record in everything if isinstance(record, RecordProblem)],
    )


def problem_texts(record: RawRecord) -> list[str]:
    """Return why a record's image is left out."""
    return [problem.text for problem in record.problems]


def boxes_of(record: RawRecord) -> tuple[RawBox, ...]:
    """Return a record's boxes; it must be one that is used."""
    assert not record.problems, record.problems
    return record.boxes


def write_coco(
    path: Path, annotations: object, *, images: object = None, categories: object = None, **more: object
) -> Path:
    """Write a COCO file about `a.jpg` (id 1) and `b.jpg` (id 2), 100 x 50 pixels; category 3 is ALB, 7 is YFT."""
    document = {
        "images": images
        or [
            {"id": number, "file_name": name, "width": 100, "height": 50}
            for number, name in ((1, "a.jpg"), (2, "b.jpg"))
        ],
        "annotations": annotations,
        "categories": categories or [{"id": 3, "name": "ALB"}, {"id": 7, "name": "YFT"}],
        **more,
    }
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not ...}))
    return path


def annotation(image_id: object = 1, category_id: object = 3, **more: object) -> dict[str, object]:
    """Return a COCO annotation, with a box where nothing else is said."""
    return {"image_id": image_id, "category_id": category_id, **(more or {"bbox": [10, 20, 30, 10]})}


def write_labelme(path: Path, *shapes: tuple[str, str, list[list[float]]], **more: object) -> None:
    """Write a labelme file of (shape type, label, points) for an image of 100 x 50 pixels of the same name."""
    document = {
        "version": "6.3.1",
        "flags": {},
        "shapes": [{"shape_type": kind, "label": label, "points": points} for kind, label, points in shapes],
        "imagePath": path.with_suffix(".jpg").name,
        "imageData": None,
        "imageHeight": 50,
        "imageWidth": 100,
    } | more
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not ...}))
