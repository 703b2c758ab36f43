"""COCO detection JSON: images, annotations with xywh boxes, categories named like species."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from annotator.label_formats.records import (
    LabelFileError,
    RawBox,
    RawRecord,
    RecordProblem,
    Records,
    read_json,
)
from db.domain.species import LabelSet

_MAX_SIDE_PX = 2**31


def read_coco(path: Path, label_set: LabelSet) -> Records:
    """Yield a record an image; an image without annotations was looked at and shows no fish.

    Raises:
        LabelFileError: not a COCO file.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise LabelFileError(f"{path}: no COCO file; wanted an object with 'images', 'annotations' and 'categories'")
    names = {
        _key(raw.get("id")): str(raw.get("name", "")) for raw in _objects(document, "categories") if raw is not None
    }
    boxes, problems = _boxes(document, names, path)
    yield from problems
    known = set()
    for index, raw in enumerate(_objects(document, "images")):
        place = f"{path} images[{index}]"
        if raw is None or not isinstance(raw.get("file_name"), str):
            yield RecordProblem(place, "has no 'file_name'")
            continue
        key = _key(raw.get("id"))
        known.add(key)
        yield RawRecord(str(raw["file_name"]), place, boxes=tuple(boxes.get(key, ())), size_px=_size(raw))
    for key in sorted(set(boxes) - known):
        yield RecordProblem(str(path), f"annotations of image id {key}, which 'images' does not hold")


def _boxes(
    document: Mapping[str, object], names: Mapping[str, str], path: Path
) -> tuple[dict[str, list[RawBox]], list[RecordProblem]]:
    found: dict[str, list[RawBox]] = defaultdict(list)
    problems = []
    for index, raw in enumerate(_objects(document, "annotations")):
        place = f"{path} annotations[{index}]"
        xywh = raw.get("bbox") if raw is not None else None
        if raw is None or not isinstance(xywh, list) or len(xywh) != 4 or not all(map(_is_number, xywh)):
            problems.append(RecordProblem(place, f"'bbox' is {str(xywh)[:60]!r}, wanted [x, y, width, height]"))
            continue
        category = _key(raw.get("category_id"))
        if category not in names:
            problems.append(RecordProblem(place, f"category_id {category} is not in 'categories'"))
            continue
        x, y, width, height = (float(value) for value in xywh)
        found[_key(raw.get("image_id"))].append(RawBox(names[category], (x, y, x + width, y + height)))
    return found, problems


def _objects(document: Mapping[str, object], key: str) -> list[Mapping[str, object] | None]:
    held = document.get(key) or []
    return [raw if isinstance(raw, dict) else None for raw in held] if isinstance(held, list) else []


def _key(value: object) -> str:
    # Ids are numbers in some files and texts in others; 7 and "7" mean the same image.
    return str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _size(raw: Mapping[str, object]) -> tuple[int, int] | None:
    width, height = raw.get("width"), raw.get("height")
    if isinstance(width, int) and isinstance(height, int) and 0 < width < _MAX_SIDE_PX and 0 < height < _MAX_SIDE_PX:
        return width, height
    return None
