"""Label files of other tools into the store: what is odd is named by file and record, the rest is imported."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine

from annotator.label_formats.coco import read_coco
from annotator.label_formats.find_images import ImageFinder, ImageNotFound
from annotator.label_formats.labelme import read_labelme_labels
from annotator.label_formats.ncfm import read_ncfm
from annotator.label_formats.records import LabelFileError, RawBox, RawRecord, RecordProblem, Records, species_named
from annotator.label_formats.repair import repair
from annotator.label_formats.yolo import read_yolo
from db.domain.files import FoundFile
from db.domain.outcomes import SeenImage
from db.domain.species import LabelSet
from db.errors import TaffrailError
from db.session import transaction
from db.store.labels import NewLabel, add_labels

_LABELS_A_TRANSACTION = 500


class LabelFormat(StrEnum):
    """The formats that labels come in."""

    NCFM = "ncfm"
    COCO = "coco"
    LABELME = "labelme"
    YOLO = "yolo"
    FOLDERS = "folders"


@dataclass(frozen=True)
class ImportOptions:
    """What to import. root: the folder of the images; look: reads an image's hash and size, or raises."""

    path: Path
    label_format: LabelFormat
    root: bytes
    label_set: LabelSet
    look: Callable[[FoundFile], SeenImage]


@dataclass
class LabelImport:
    """What became of the labels. labelled: images with a label; added: sayings that are new.

    unlabelled: images below the root that no record names. notes: what was repaired; problems: what was left out.
    """

    labelled: int = 0
    added: int = 0
    boxes: int = 0
    unlabelled: int = 0
    species: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def import_labels(
    engine: Engine,
    options: ImportOptions,
    files: Iterable[FoundFile],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LabelImport:
    """Return what came of importing labels for these images; importing them again adds nothing.

    Raises:
        LabelFileError: the label file as a whole cannot be used.
    """
    finder = ImageFinder(files, root=options.root)
    summary = LabelImport()
    records = _one_each(_records(options, finder), finder, summary)
    summary.unlabelled = len(finder.files) - len(records)
    labels = _labels(records, options, summary)
    done = 0
    progress(0, len(records))
    while chunk := list(islice(labels, _LABELS_A_TRANSACTION)):
        with transaction(engine) as session:
            summary.added += add_labels(session, chunk, root=options.root, source=str(options.label_format))
        done += len(chunk)
        progress(done, len(records))
    return summary


def _records(options: ImportOptions, finder: ImageFinder) -> Records:
    if options.label_format is LabelFormat.FOLDERS:
        yield from _by_folder(
            _files_below(options.path, finder.files, options.root),
            options,
            unnamed="is in no folder that is named like a species",
        )
        return
    read = {
        LabelFormat.NCFM: read_ncfm,
        LabelFormat.COCO: read_coco,
        LabelFormat.LABELME: read_labelme_labels,
        LabelFormat.YOLO: read_yolo,
    }[options.label_format]
    yield from read(options.path, options.label_set)
    if options.label_format is LabelFormat.NCFM:
        # The competition's images lie in folders by species, and its images without fish are in no file at all.
        yield from _by_folder(finder.files, options, unnamed=None)


def _files_below(path: Path, files: Iterable[FoundFile], root: bytes) -> Iterator[FoundFile]:
    below = os.path.realpath(os.fsencode(path))
    if below != root and not below.startswith(root.rstrip(b"/") + b"/"):
        raise LabelFileError(f"{path}: is not in the folder of the images, {os.fsdecode(root)}")
    return (file for file in files if (file.folder + b"/").startswith(below + b"/"))


def _by_folder(files: Iterable[FoundFile], options: ImportOptions, *, unnamed: str | None) -> Records:
    for file in files:
        path = os.fsdecode(os.path.relpath(file.folder + b"/" + file.name, options.root))
        named = [species_named(part, options.label_set) for part in path.split("/")[:-1]]
        species = next((name for name in reversed(named) if name is not None), None)
        if species is not None:
            yield RawRecord(path, f"{os.fsdecode(options.root)}/{path}", species=species)
        elif unnamed is not None:
            yield RecordProblem(f"{os.fsdecode(options.root)}/{path}", unnamed)


def _one_each(records: Records, finder: ImageFinder, summary: LabelImport) -> list[tuple[FoundFile, RawRecord]]:
    """Return each image's records as one: an image with two species is in two NCFM files."""
    found: dict[tuple[bytes, bytes], tuple[FoundFile, RawRecord]] = {}
    for raw in records:
        if isinstance(raw, RecordProblem):
            summary.problems.append(str(raw))
            continue
        try:
            file = finder.find(raw.image_name)
        except ImageNotFound as error:
            summary.problems.append(f"{raw.place}: {error}")
            continue
        key = (file.folder, file.name)
        found[key] = (file, _joined(found[key][1], raw)) if key in found else (file, raw)
    return list(found.values())


def _joined(first: RawRecord, second: RawRecord) -> RawRecord:
    boxes = tuple(dict.fromkeys([*first.boxes, *_not_same(second.boxes, first)]))
    return replace(first, boxes=boxes, ends=tuple(dict.fromkeys([*first.ends, *second.ends])))


def _not_same(boxes: tuple[RawBox, ...], first: RawRecord) -> Iterator[RawBox]:
    held = {box.xyxy for box in first.boxes}
    return (box for box in boxes if box.xyxy not in held)


def _labels(
    records: list[tuple[FoundFile, RawRecord]], options: ImportOptions, summary: LabelImport
) -> Iterator[NewLabel]:
    for file, raw in records:
        try:
            image = options.look(file)
        except TaffrailError as error:
            summary.problems.append(f"{raw.place}: {raw.image_name}: {error}")
            continue
        repaired = repair(
            raw, width_px=image.width_px or 0, height_px=image.height_px or 0, label_set=options.label_set
        )
        summary.notes += [f"{raw.place}: {text}" for text in repaired.notes]
        summary.problems += [f"{raw.place}: {text}" for text in repaired.problems]
        if repaired.label is not None:
            summary.labelled += 1
            summary.boxes += len(repaired.label.boxes)
            summary.species[repaired.label.species] += 1
            yield NewLabel(file, image, repaired.label, raw.place)
