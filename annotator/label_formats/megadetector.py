"""MegaDetector's batch output as labels: boxes as shares of the sides, species where a classifier named them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from annotator.label_formats.records import (
    LabelFileError,
    RawBox,
    RawRecord,
    RecordNote,
    RecordProblem,
    Records,
    as_number,
    read_json,
    shown,
)
from db.domain.species import LabelSet

# What MegaDetector's authors advise for its fifth version; below it most boxes are none.
LEAST_CONFIDENCE = 0.2
# Its own categories that are no animal.
_NO_ANIMALS = frozenset({"person", "vehicle"})


def read_megadetector(path: Path, label_set: LabelSet, *, least: float = LEAST_CONFIDENCE) -> Records:
    """Yield a record an image: its detections of enough confidence, each called by its surest classification.

    A detection without a classification is called by its category; people and vehicles are left out, with a note. An
    image that MegaDetector could not read gives nothing. least: the confidence that a detection needs.

    Raises:
        LabelFileError: not MegaDetector's output.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise LabelFileError(f"{path}: no output of MegaDetector; wanted an object with 'images' and 'info'")
    detected, classified = (_names(document, f"{kind}_categories") for kind in ("detection", "classification"))
    if not detected:
        raise LabelFileError(f"{path}: no output of MegaDetector; wanted an object with 'detection_categories'")
    left_out = {key: name for key, name in detected.items() if name.lower() in _NO_ANIMALS}
    if left_out:
        yield RecordNote(str(path), f"its boxes of {' and '.join(left_out.values())} are left out")
    for index, raw in enumerate(document["images"]):
        place = f"{path} images[{index}]"
        if not isinstance(raw, dict) or not isinstance(raw.get("file"), str):
            yield RecordProblem(place, "has no 'file'")
        elif not isinstance(raw.get("detections"), list):
            yield RecordProblem(place, f"has no detections ({shown(raw.get('failure'))})")
        else:
            animals = [one for one in raw["detections"] if not _is_of(one, left_out)]
            yield _record(raw, animals, place, least, detected, classified)


def _is_of(detection: object, categories: Mapping[str, str]) -> bool:
    return isinstance(detection, Mapping) and str(detection.get("category")) in categories


def _record(
    raw: Mapping[str, object],
    detections: Sequence[object],
    place: str,
    least: float,
    detected: Mapping[str, str],
    classified: Mapping[str, str],
) -> RawRecord:
    boxes: list[RawBox] = []
    problems: list[RecordProblem] = []
    for index, detection in enumerate(detections):
        try:
            boxes += _boxes(detection, least, detected, classified)
        except ValueError as error:
            problems.append(RecordProblem(f"{place} detections[{index}]", str(error)))
    return RawRecord(str(raw["file"]), place, boxes=tuple(boxes), normalised=True, problems=tuple(problems))


def _boxes(
    detection: object, least: float, detected: Mapping[str, str], classified: Mapping[str, str]
) -> Iterator[RawBox]:
    """Yield the box of a detection that is sure enough."""
    if not isinstance(detection, Mapping):
        raise ValueError(f"is {shown(detection)}, wanted an object")
    confidence = as_number(detection.get("conf"))
    if confidence is None or not math.isfinite(confidence):
        raise ValueError(f"'conf' is {shown(detection.get('conf'))}, wanted a number")
    if confidence < least:
        return
    sides = detection.get("bbox")
    numbers = [as_number(side) for side in sides] if isinstance(sides, list) else []
    x, y, width, height = numbers if len(numbers) == 4 else (None,) * 4
    if x is None or y is None or width is None or height is None:
        raise ValueError(f"'bbox' is {shown(sides)}, wanted x, y, width, height as shares of the sides")
    yield RawBox(_name(detection, detected, classified), (x, y, x + width, y + height))


def _name(detection: Mapping[str, object], detected: Mapping[str, str], classified: Mapping[str, str]) -> str:
    said = detection.get("classifications")
    pairs = [pair for pair in said if isinstance(pair, list) and len(pair) == 2] if isinstance(said, list) else []
    if pairs:
        surest = max(pairs, key=lambda pair: as_number(pair[1]) or 0.0)
        return _known(classified, surest[0], "classification_categories")
    return _known(detected, detection.get("category"), "detection_categories")


def _known(names: Mapping[str, str], key: object, where: str) -> str:
    if str(key) not in names:
        raise ValueError(f"category {shown(key)} is not in '{where}'")
    return names[str(key)]


def _names(document: Mapping[str, object], key: str) -> dict[str, str]:
    raw = document.get(key)
    return {str(number): str(name) for number, name in raw.items()} if isinstance(raw, dict) else {}
