"""YOLO text labels: a file an image, a row a fish; an empty file is background."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from annotator.label_formats.records import (
    LabelFileError,
    RawBox,
    RawRecord,
    RecordProblem,
    Records,
    label_files,
    read_text,
)
from annotator.label_formats.yolo_names import NAME_FILES, DataSet, read_data_set
from annotator.label_formats.yolo_rows import Row, box_of_row, is_surely_polygon, read_row
from db.domain.species import LabelSet

# Lists of images that darknet, CVAT and Ultralytics put beside the labels.
_LISTS = frozenset({"train", "valid", "val", "test", "trainval", "all"})
_NO_LABELS = ("readme", "license", "licence", "classes", "notes", "requirements")
_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def read_yolo(path: Path, label_set: LabelSet) -> Records:
    """Yield a record a text file; species names come from data.yaml or classes.txt in the folder or above it.

    Raises:
        LabelFileError: no folder, no names, or no text files.
    """
    if not path.is_dir():
        raise LabelFileError(f"{path}: no folder; wanted a folder of YOLO text files")
    data_set = read_data_set(path)
    files = [file for file in label_files(path, ".txt") if file != data_set.file and not _is_no_label(file)]
    # Where there are folders called `labels`, texts elsewhere are something else.
    files = [file for file in files if "labels" in file.relative_to(path).parts] or files
    if not files:
        raise LabelFileError(f"{path}: holds no .txt files with labels")
    has_polygons = data_set.key_points is None and any(map(is_surely_polygon, _rows(files)))
    for file in files:
        yield _read_file(file, data_set, name=_image_name(file.relative_to(path)), has_polygons=has_polygons)


def _is_no_label(file: Path) -> bool:
    stem = file.stem.lower()
    if file.name.lower() in NAME_FILES or stem.startswith(_NO_LABELS):
        return True
    return stem in _LISTS and _begins_with_image(file)


def _begins_with_image(file: Path) -> bool:
    try:
        lines = read_text(file).splitlines()
    except LabelFileError:
        return False
    return bool(lines) and lines[0].strip().lower().endswith(_IMAGE_ENDINGS)


def _image_name(relative: Path) -> str:
    """Return the path of a label file's image: of `train/labels/a.txt` it is `train/images/a`, as Ultralytics pairs.

    >>> _image_name(Path("train/labels/boat_1/a.txt"))
    'train/images/boat_1/a'
    """
    folders = list(PurePosixPath(relative.parent.as_posix()).parts)
    for number in range(len(folders) - 1, -1, -1):
        if folders[number] == "labels":
            folders[number] = "images"
            break
    return "/".join([*folders, relative.stem])


def _rows(files: list[Path]) -> Iterator[Row]:
    """Yield every row that can be read; what cannot is told when its file is read for good."""
    for file in files:
        try:
            lines = read_text(file).splitlines()
        except LabelFileError:
            continue
        for line in filter(str.strip, lines):
            try:
                yield read_row(line)
            except ValueError:
                continue


def _read_file(file: Path, data_set: DataSet, *, name: str, has_polygons: bool) -> RawRecord | RecordProblem:
    try:
        lines = read_text(file).splitlines()
    except LabelFileError as error:
        return RecordProblem(str(file), str(error).removeprefix(f"{file}: "))
    boxes: list[RawBox] = []
    notes: list[str] = []
    problems: list[RecordProblem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            box, note = box_of_row(read_row(line), data_set.names, data_set.key_points, has_polygons=has_polygons)
        except ValueError as error:
            problems.append(RecordProblem(f"{file} line {number}", str(error)))
            continue
        boxes.append(box)
        notes += [f"line {number}: {note}"] if note else []
    return RawRecord(name, str(file), boxes=tuple(boxes), normalised=True, notes=tuple(notes), problems=tuple(problems))
