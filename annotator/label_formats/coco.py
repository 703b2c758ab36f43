"""COCO detection JSON: images, annotations with xywh boxes, categories named like species."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annotator.label_formats.coco_shapes import box_of
from annotator.label_formats.records import (
    LabelFileError,
    RawBox,
    RawRecord,
    RecordNote,
    RecordProblem,
    Records,
    as_whole,
    read_json,
    shown,
    size_of,
)
from db.domain.species import LabelSet

_SHOWN_PLACES = 3
# Where other tools write an image's boxes into the image: not to read them would make it "no fish".
_OWN_BOXES = ("annotations", "annotation", "objects", "boxes", "bboxes", "bbox", "segmentation")


@dataclass
class _Annotated:
    """What the annotations say, by image id. astray: those that name no image of the file."""

    boxes: dict[str, list[RawBox]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    problems: dict[str, list[RecordProblem]] = field(default_factory=lambda: defaultdict(list))
    astray: list[RecordProblem] = field(default_factory=list)


def read_coco(path: Path, label_set: LabelSet) -> Records:
    """Yield a record an image; an image without annotations was looked at and shows no fish.

    Raises:
        LabelFileError: not a COCO file.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise LabelFileError(f"{path}: no COCO file; wanted an object with 'images', 'annotations' and 'categories'")
    annotations = _list(document, "annotations", path)
    names = _names(_list(document, "categories", path) if annotations else document.get("categories"))
    found = _read_annotations(annotations, names, path)
    yield from _repeated(annotations, path)
    yield from _records(document["images"], found, path)


def _list(document: Mapping[str, object], key: str, path: Path) -> list[object]:
    held = document.get(key)
    if not isinstance(held, list):
        what = "missing" if key not in document else f"{shown(held)}"
        raise LabelFileError(f"{path}: {key!r} is {what}, wanted a list; without it no image says what it shows")
    return held


def _names(categories: object) -> dict[str, str | None]:
    """Return the categories' names by id; None where one has no name, or two."""
    names: dict[str, str | None] = {}
    for raw in categories if isinstance(categories, list) else []:
        key = _key(raw.get("id")) if isinstance(raw, dict) else None
        if key is None:
            continue
        name = raw.get("name")
        written = name if isinstance(name, str) and name.strip() else None
        names[key] = written if names.get(key, written) == written else None
    return names


def _read_annotations(annotations: Sequence[object], names: Mapping[str, str | None], path: Path) -> _Annotated:
    found = _Annotated()
    for index, raw in enumerate(annotations):
        place = f"{path} annotations[{index}]"
        image = _key(raw.get("image_id")) if isinstance(raw, dict) else None
        if not isinstance(raw, dict) or image is None:
            text = f"names no image ({shown(raw.get('image_id') if isinstance(raw, dict) else raw)})"
            found.astray.append(RecordProblem(place, text))
            continue
        try:
            found.boxes[image].append(RawBox(_species(raw, names), box_of(raw)))
        except ValueError as error:
            found.problems[image].append(RecordProblem(place, str(error)))
        if as_whole(raw.get("iscrowd")) == 1:
            found.notes[image].append(f"annotations[{index}] is marked as a crowd; read as one box")
    return found


def _species(raw: Mapping[str, object], names: Mapping[str, str | None]) -> str:
    key = _key(raw.get("category_id"))
    if key is None or key not in names:
        raise ValueError(f"category_id {shown(raw.get('category_id'))} is not in 'categories'")
    name = names[key]
    if name is None:
        raise ValueError(f"category_id {key} has no name in 'categories', or two")
    return name


def _repeated(annotations: Sequence[object], path: Path) -> Records:
    """Tell ids that stand twice: files that were merged carelessly have them; every annotation is read all the same."""
    keys = Counter(key for raw in annotations if isinstance(raw, dict) and (key := _key(raw.get("id"))) is not None)
    twice = [key for key, count in keys.items() if count > 1]
    if twice:
        few = ", ".join(twice[:_SHOWN_PLACES]) + (", ..." if len(twice) > _SHOWN_PLACES else "")
        yield RecordNote(str(path), f"{len(twice)} annotation ids stand more than once ({few}); all were read")


def _records(images: Sequence[object], found: _Annotated, path: Path) -> Records:
    keys = Counter(_key(raw.get("id")) for raw in images if isinstance(raw, dict))
    dangling = sorted({*found.boxes, *found.problems} - {key for key in keys if key is not None})
    for key in dangling:
        # Ids of another spelling look like this, too: their fish may be of any image that seems to have none.
        found.astray.append(RecordProblem(str(path), f"annotations of image id {shown(key)}, which is no image's"))
    yield from found.astray
    for index, raw in enumerate(images):
        place = f"{path} images[{index}]"
        if not isinstance(raw, dict) or not isinstance(raw.get("file_name"), str):
            yield RecordProblem(place, "has no 'file_name'")
            continue
        yield _record(raw, found, place, same_id=keys[_key(raw.get("id"))])


def _record(raw: Mapping[str, object], found: _Annotated, place: str, *, same_id: int) -> RawRecord:
    key = _key(raw.get("id"))
    problems = list(found.problems.get(key, ())) if key is not None else []
    if key is None:
        problems.append(RecordProblem(place, f"its id is {shown(raw.get('id'))}, so no annotation can name it"))
    elif same_id > 1:
        problems.append(RecordProblem(place, f"its id {shown(key)} is the id of {same_id} images"))
    boxes = tuple(found.boxes.get(key, ())) if key is not None else ()
    if found.astray and not boxes:
        problems.append(RecordProblem(place, f"has no annotations, but {len(found.astray)} name no image"))
    if nested := next((name for name in _OWN_BOXES if raw.get(name)), None):
        problems.append(RecordProblem(place, f"has {nested!r} of its own, which are not read; wanted them in one list"))
    size = None
    try:
        size = size_of(raw.get("width"), raw.get("height"))
    except ValueError as error:
        problems.append(RecordProblem(place, str(error)))
    notes = tuple(found.notes.get(key, ())) if key is not None else ()
    return RawRecord(str(raw["file_name"]), place, boxes=boxes, size_px=size, notes=notes, problems=tuple(problems))


def _key(value: object) -> str | None:
    """Return an id in one spelling: 7, 7.0 and "7" mean the same image; None where it is no id."""
    whole = as_whole(value)
    if whole is not None and (not isinstance(value, str) or value.strip() in (str(whole), f"{whole}.0")):
        return str(whole)
    return value if isinstance(value, str) and value.strip() else None
