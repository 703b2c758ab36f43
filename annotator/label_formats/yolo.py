"""YOLO text labels: a line a fish, normalised centre and size (or a polygon); an empty file is background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from annotator.label_formats.records import LabelFileError, RawBox, RawRecord, RecordProblem, Records, read_text
from db.domain.species import LabelSet

_NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")


def read_yolo(path: Path, label_set: LabelSet) -> Records:
    """Yield a record a text file; species names come from data.yaml or classes.txt in the folder or above it.

    Raises:
        LabelFileError: no folder, no names, or no text files.
    """
    if not path.is_dir():
        raise LabelFileError(f"{path}: no folder; wanted a folder of YOLO text files")
    names_file, names = _read_names(path)
    labels = path / "labels" if (path / "labels").is_dir() else path
    files = [file for file in sorted(labels.rglob("*.txt")) if file != names_file and file.name not in _NAME_FILES]
    if not files:
        raise LabelFileError(f"{labels}: holds no .txt files")
    for file in files:
        yield from _read_file(file, names, name=file.relative_to(labels).with_suffix("").as_posix())


def _read_names(path: Path) -> tuple[Path, dict[int, str]]:
    for folder in (path, path.parent):
        for name in _NAME_FILES:
            file = folder / name
            if file.is_file():
                return file, _names_in(file)
    raise LabelFileError(f"{path}: found none of {', '.join(_NAME_FILES)}; wanted the species' names in one of them")


def _names_in(file: Path) -> dict[int, str]:
    text = read_text(file)
    if file.suffix not in (".yaml", ".yml"):
        return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    try:
        document: Any = yaml.safe_load(text)
        names = document["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(index): _species_text(name) for index, name in pairs}
    except RecursionError:
        raise LabelFileError(f"{file}: nested too deeply for a list of names") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:120]
        raise LabelFileError(f"{file}: wanted `names:` with a list of species ({reason})") from None


def _species_text(name: object) -> str:
    # A list of aliases of lists is small in memory, and gigabytes when it is written out.
    if isinstance(name, list | dict):
        raise ValueError(f"found a {type(name).__name__} as a name")
    return str(name)


def _read_file(file: Path, names: dict[int, str], *, name: str) -> Records:
    try:
        lines = read_text(file).splitlines()
    except LabelFileError as error:
        yield RecordProblem(str(file), str(error).removeprefix(f"{file}: "))
        return
    boxes = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            boxes.append(_box(line.split(), names))
        except ValueError as error:
            yield RecordProblem(f"{file} line {number}", f"{error}; the image is left out")
            return
    yield RawRecord(name, str(file), boxes=tuple(boxes), normalised=True)


def _box(fields: list[str], names: dict[int, str]) -> RawBox:
    try:
        index, values = int(float(fields[0])), [float(field) for field in fields[1:]]
    except (ValueError, OverflowError):
        raise ValueError(f"found {' '.join(fields)[:60]!r}, wanted `class x y width height`") from None
    if index not in names:
        raise ValueError(f"class {index} has no name (known: 0 to {max(names, default=-1)})")
    if len(values) >= 6 and len(values) % 2 == 0:  # a polygon, as segmentation writes it
        xs, ys = values[0::2], values[1::2]
        return RawBox(names[index], (min(xs), min(ys), max(xs), max(ys)))
    if len(values) not in (4, 5):  # the fifth is a confidence
        raise ValueError(f"found {len(values)} numbers after the class, wanted x y width height")
    x, y, width, height = values[:4]
    return RawBox(names[index], (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
