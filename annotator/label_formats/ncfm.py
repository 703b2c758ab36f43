"""The box JSONs of the NCFM competition: one list a species; real files hold prefixes, gaps and head/tail points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from annotator.label_formats.records import (
    LabelFileError,
    Point,
    RawBox,
    RawRecord,
    RecordProblem,
    Records,
    label_files,
    number,
    read_json,
    species_named,
)
from db.domain.species import LabelSet

_ENDS = ("head", "tail")


def read_ncfm(path: Path, label_set: LabelSet) -> Records:
    """Yield the records of a file, or of every JSON file of a folder; a file's name says its species.

    Raises:
        LabelFileError: there is no JSON file.
    """
    files = label_files(path, ".json", below=False)
    if not files:
        raise LabelFileError(f"{path}: holds no .json files; wanted one a species, such as ALB.json")
    for file in files:
        species = _species_of(file, label_set)
        if species is None:
            known = ", ".join(label_set.names)
            yield RecordProblem(str(file), f"its name is no species (known: {known}); nothing of it is imported")
            continue
        yield from _read_file(file, species)


def ncfm_species(path: Path) -> Counter[str]:
    """Return the species that the files' names say, with the images of each: `marlin.json`, `marlin_labels.json`."""
    found: Counter[str] = Counter()
    for file in label_files(path, ".json", below=False):
        try:
            document = read_json(file)
        except LabelFileError:
            continue  # the import itself names it
        if isinstance(document, list) and any(isinstance(raw, dict) and "filename" in raw for raw in document):
            found[file.stem.removesuffix("_labels")] += len(document)
    return found


def _species_of(file: Path, label_set: LabelSet) -> str | None:
    # The competition's own forum spread them as alb_labels.json.
    return species_named(file.stem, label_set) or species_named(file.stem.split("_")[0], label_set)


def _read_file(file: Path, species: str) -> Records:
    try:
        document = read_json(file)
    except LabelFileError as error:
        yield RecordProblem(str(file), str(error).removeprefix(f"{file}: "))
        return
    if not isinstance(document, list):
        yield RecordProblem(str(file), f"holds a {type(document).__name__}, wanted a list of images")
        return
    for index, raw in enumerate(document):
        yield _record(raw, species, place=f"{file} [{index}]")


def _record(raw: object, species: str, *, place: str) -> RawRecord | RecordProblem:
    name = raw.get("filename") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(name, str) or not name.strip():
        return RecordProblem(place, "has no 'filename'")
    annotations = raw.get("annotations")
    boxes: list[RawBox] = []
    ends: list[tuple[str, Point]] = []
    problems: list[RecordProblem] = []
    if annotations is not None and not isinstance(annotations, list):
        problems.append(RecordProblem(place, "'annotations' is no list"))
        annotations = None
    for index, annotation in enumerate(annotations or ()):
        try:
            _add(annotation, species, boxes, ends)
        except ValueError as error:
            problems.append(RecordProblem(f"{place} annotations[{index}]", str(error)))
    return RawRecord(
        name, place, species=species, boxes=tuple(boxes), ends=tuple(ends), partial=True, problems=tuple(problems)
    )


def _add(annotation: object, species: str, boxes: list[RawBox], ends: list[tuple[str, Point]]) -> None:
    if not isinstance(annotation, Mapping):
        raise ValueError(f"is a {type(annotation).__name__}, wanted an object")
    x, y = number(annotation, "x"), number(annotation, "y")
    kind = str(annotation.get("class", ""))[:60].lower().rstrip("s")
    if kind in _ENDS:
        ends.append((kind, (x, y)))
        return
    if "width" not in annotation and "height" not in annotation:
        raise ValueError(f"is a point of class {kind!r}, wanted a rect, a head or a tail")
    width, height = number(annotation, "width"), number(annotation, "height")
    boxes.append(RawBox(species, (x, y, x + width, y + height)))
