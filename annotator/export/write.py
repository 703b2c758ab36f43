"""A review folder: images, labelme's JSON beside each, and a manifest; the folder appears whole or not at all.

Images keep their bytes: labelme turns an image by its EXIF tag itself, as we do, so points and sizes are upright.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import ExportError
from annotator.export.image_files import Fetch, ImageProblem, Images, bring_image, no_fetch
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, Point, write_labelme
from annotator.labelme.marks import FLAGS, FLAGS_NAME, LABELS_NAME, MANIFEST_NAME, POINT_LABELS
from annotator.labelme.shown import HIDDEN_KEY, ExportedShape, ExportedState, ShapeRole
from db.domain.answers import AnswerBox, FinalAnswer, box_words
from db.domain.boxes import clip_box
from db.domain.species import NO_FISH, LabelSet
from db.whole_files import whole_folder

EXPORT_FORMAT = 1
STEM_CHARACTERS = 48


@dataclass(frozen=True)
class Outline:
    """What another prediction than the answer's shows: a heat map's region, a box; pixels of the upright image."""

    species: str
    outline_px: tuple[Point, ...]
    told: str = "heat map"


@dataclass(frozen=True)
class ExportItem:
    """One image to look at. file: absolute, bytes, or a URL. shown_path: for people. why: the reason, one line.

    answer: what is shown, None before there is a model. others: what the other predictions say, for people.
    first_of: the camera whose fish size it is to tell, None where it is shown for another reason.
    duplicates: ids of images that show the same and get the same answer.
    """

    image_id: int
    sha256: str
    file: bytes
    shown_path: str
    camera: str
    width_px: int
    height_px: int
    why: str
    prediction_id: int | None = None
    at_random: bool = False
    answer: FinalAnswer | None = None
    others: str = ""
    outlines: tuple[Outline, ...] = ()
    first_of: str | None = None
    duplicates: tuple[int, ...] = ()


@dataclass(frozen=True)
class WrittenItem:
    """One image as it was written; number is unique within the export, 1, 2, ..."""

    number: int
    item: ExportItem
    name: str
    state: ExportedState


@dataclass(frozen=True)
class WrittenExport:
    """What was written, and a line for every image that was not."""

    export_id: str
    folder: Path
    items: tuple[WrittenItem, ...]
    problems: tuple[str, ...]


def write_export(
    out: Path,
    items: Sequence[ExportItem],
    *,
    export_id: str,
    label_set: LabelSet,
    images: Images = Images.COPY,
    fetch: Fetch = no_fetch,
    before_visible: Callable[[WrittenExport], None] = lambda _written: None,
) -> WrittenExport:
    """Return what was written to `out`; an image that is gone or changed since is left out and named.

    fetch: reads an image that lies under a URL.
    before_visible: called when everything is on disk but the folder does not carry its name yet; an error in it
    leaves no folder behind (the store's place to record the export).

    Raises:
        ExportError: `out` holds something, cannot be written, or none of the images can be read.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out}: holds something already; choose a new or empty folder")
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        # Not synced: nothing that a person did is in it yet, and each sync would cost more than all the rest.
        with whole_folder(out, synced=False) as draft:
            written = _fill(draft, items, out=out, export_id=export_id, label_set=label_set, images=images, fetch=fetch)
            before_visible(written)
    except OSError as error:
        raise ExportError(f"{out}: cannot be written ({error.strerror})") from error
    return written


def shown_state(item: ExportItem) -> ExportedState:
    """Return the shapes that a person is shown of an image: the answer's boxes and the outlines, inside the image."""
    found = item.answer.boxes if item.answer is not None else ()
    boxes = (_box_shape(item, box, number) for number, box in enumerate(found, start=1))
    outlines = (_outline_shape(item, outline, number) for number, outline in enumerate(item.outlines, start=1))
    shapes = tuple(shape for shape in (*boxes, *outlines) if shape is not None)
    return ExportedState(item.width_px, item.height_px, shapes)


def safe_stem(name: bytes) -> str:
    r"""Return a file name's stem that every system, labelme and a terminal can carry.

    >>> safe_stem(b"trip 7/\xff new\nline.JPG")
    '__new_line'
    """
    text = unicodedata.normalize("NFC", os.fsdecode(os.path.basename(name)))
    stem = os.path.splitext(text)[0]
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in stem)
    return kept[:STEM_CHARACTERS] or "image"


def _fill(
    folder: Path,
    items: Sequence[ExportItem],
    *,
    out: Path,
    export_id: str,
    label_set: LabelSet,
    images: Images,
    fetch: Fetch,
) -> WrittenExport:
    written: list[WrittenItem] = []
    problems: list[str] = []
    for number, item in enumerate(items, start=1):
        try:
            name = bring_image(
                item.file,
                folder / f"{number:05d}_{safe_stem(item.file)}",
                sha256=item.sha256,
                images=images,
                fetch=fetch,
            )
            written.append(_write_item(folder, item, name=name, number=number, export_id=export_id))
        except ImageProblem as problem:
            problems.append(f"{item.shown_path}: {problem}")
    if items and not written:
        raise ExportError(f"{out}: none of {len(items)} images can be exported; the first: {problems[0]}")
    _write_lines(folder / LABELS_NAME, (*label_set.fish, NO_FISH, *POINT_LABELS))
    _write_lines(folder / FLAGS_NAME, FLAGS)
    manifest = {"format": EXPORT_FORMAT, "export": export_id, "items": len(written)}
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2))
    return WrittenExport(export_id, out, tuple(written), tuple(problems))


def _write_item(folder: Path, item: ExportItem, *, name: str, number: int, export_id: str) -> WrittenItem:
    state = shown_state(item)
    hidden = {"format": EXPORT_FORMAT, "export": export_id, "item": number, "sha256": item.sha256}
    content = LabelmeFile(
        image_path=name,
        width_px=item.width_px,
        height_px=item.height_px,
        shapes=tuple(_labelme_shape(shape, _told(item)) for shape in state.shapes),
        flags=dict.fromkeys(FLAGS, False),
        extra={HIDDEN_KEY: hidden},
    )
    write_labelme((folder / name).with_suffix(".json"), content, synced=False)
    return WrittenItem(number, item, name, state)


def _labelme_shape(shape: ExportedShape, told: Mapping[str, str]) -> LabelmeShape:
    return LabelmeShape(
        label=shape.species,
        points_px=shape.points_px,
        shape_type="polygon" if shape.role is ShapeRole.OUTLINE else "rectangle",
        description=told[shape.shape_id],
        extra={HIDDEN_KEY: {"shape": shape.shape_id, "detection": shape.detection_id}},
    )


def _told(item: ExportItem) -> dict[str, str]:
    """Return what each shape's description says, by its id."""
    boxes = item.answer.boxes if item.answer is not None else ()
    reason = "; ".join(part for part in (item.others, item.why) if part)
    told = {_box_id(number): f"{box_words(box)}; {reason}" for number, box in enumerate(boxes, start=1)}
    outlines = {_outline_id(number): outline.told for number, outline in enumerate(item.outlines, start=1)}
    return told | {shape_id: f"{said}, not the answer" for shape_id, said in outlines.items()}


def _box_shape(item: ExportItem, found: AnswerBox, number: int) -> ExportedShape | None:
    box = clip_box(found.box, width_px=item.width_px, height_px=item.height_px)
    if box is None:
        return None
    corners = ((box.x_min, box.y_min), (box.x_max, box.y_max))
    return ExportedShape(_box_id(number), ShapeRole.ANSWER, found.species, corners, found.detection_id)


def _outline_shape(item: ExportItem, shown: Outline, number: int) -> ExportedShape | None:
    points = tuple((min(max(x, 0.0), item.width_px), min(max(y, 0.0), item.height_px)) for x, y in shown.outline_px)
    # labelme draws no polygon of fewer corners.
    if len(points) < 3 or shown.species == NO_FISH:
        return None
    return ExportedShape(_outline_id(number), ShapeRole.OUTLINE, shown.species, points)


def _box_id(number: int) -> str:
    return f"a{number}"


def _outline_id(number: int) -> str:
    return f"o{number}"


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
