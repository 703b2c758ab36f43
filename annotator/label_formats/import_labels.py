"""Label files of other tools into the store: what is odd is named by file and record, the rest is imported."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from annotator.label_formats.coco import read_coco
from annotator.label_formats.find_images import ImageFinder, ImageNotFound
from annotator.label_formats.labelme import read_labelme_labels
from annotator.label_formats.megadetector import LEAST_CONFIDENCE, read_megadetector
from annotator.label_formats.ncfm import ncfm_species, read_ncfm
from annotator.label_formats.records import (
    LabelFileError,
    RawRecord,
    RecordNote,
    RecordProblem,
    Records,
    species_named,
)
from annotator.label_formats.repair import repair
from annotator.label_formats.settle import settle
from annotator.label_formats.yolo import read_yolo
from db.domain.files import FoundFile
from db.domain.outcomes import SeenImage
from db.domain.species import LabelSet, may_name
from db.errors import TaffrailError
from db.progress import Progress, no_progress
from db.session import transaction
from db.store.label_imports import begin_import, finish_import
from db.store.labels import NewLabel, hold_labels, label_digest

_LABELS_A_TRANSACTION = 500


class LabelFormat(StrEnum):
    """The formats that labels come in."""

    NCFM = "ncfm"
    COCO = "coco"
    LABELME = "labelme"
    YOLO = "yolo"
    FOLDERS = "folders"
    MEGADETECTOR = "megadetector"


@dataclass(frozen=True)
class ImportOptions:
    """What to import. root: the folder of the images; look: reads an image's hash and size, or raises.

    decide: called once with the species as they are written and the images of each; returns the label set to import by.
    least: the confidence that a detection of MegaDetector needs to be a label.
    """

    path: Path
    label_format: LabelFormat
    root: bytes
    label_set: LabelSet
    look: Callable[[FoundFile], SeenImage]
    decide: Callable[[Mapping[str, int]], LabelSet] | None = None
    least: float = LEAST_CONFIDENCE


@dataclass
class LabelImport:
    """What became of the labels. labelled: images with a label; changed: images whose label in force is another now.

    import_id: the number of this revision; None where it changed nothing, and is none.
    left_out: images that records name, and that have no label because something of it was not understood.
    unlabelled: images below the root that no record names. notes: what was repaired; problems: what was left out.
    """

    labelled: int = 0
    changed: int = 0
    import_id: int | None = None
    boxes: int = 0
    left_out: int = 0
    unlabelled: int = 0
    species: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def import_labels(
    engine: Engine,
    options: ImportOptions,
    files: Iterable[FoundFile],
    *,
    progress: Progress = no_progress,
) -> LabelImport:
    """Return what came of importing labels for these images; importing them again changes nothing.

    An image is left out where anything that is written of it was not understood, or contradicts.

    Raises:
        LabelFileError: the label file as a whole cannot be used.
    """
    summary = LabelImport()
    held = list(files)
    records = list(_records(options, held))
    if options.decide is not None:
        options = replace(options, label_set=options.decide(_written_species(options, records, held)))
        records = list(_records(options, held))
    found = _find_images(records, held, options, summary)
    summary.unlabelled = len(held) - len(found)
    labels = _without_contradictions(_labels(found, options, summary, progress), summary)
    for new in labels:
        summary.labelled += 1
        summary.boxes += len(new.label.boxes)
        summary.species[new.label.species] += 1
    if labels:
        _hold(engine, labels, options, summary)
    return summary


def _hold(engine: Engine, labels: Sequence[NewLabel], options: ImportOptions, summary: LabelImport) -> None:
    """Hold labels as one import: all of it is in force at once, or nothing where this process is stopped."""
    source = str(options.label_format)
    with transaction(engine) as session:
        import_id = begin_import(session, source=source, path=os.path.abspath(options.path))
    kept = 0
    for start in range(0, len(labels), _LABELS_A_TRANSACTION):
        chunk = labels[start : start + _LABELS_A_TRANSACTION]
        with transaction(engine) as session:
            kept += len(hold_labels(session, chunk, import_id=import_id, root=options.root, source=source))
    with transaction(engine) as session:
        summary.changed = finish_import(session, import_id)
    summary.import_id = import_id if summary.changed else None
    if kept:
        summary.notes.append(f"{kept} images keep the boxes that they have: here only their species is said, the same")


def _records(options: ImportOptions, files: Sequence[FoundFile]) -> Records:
    if options.label_format is LabelFormat.FOLDERS:
        yield from _by_folder(
            _files_below(options.path, files, options.root),
            options,
            unnamed="is in no folder that is named like a species",
        )
        return
    readers: dict[LabelFormat, Callable[[Path, LabelSet], Records]] = {
        LabelFormat.NCFM: read_ncfm,
        LabelFormat.COCO: read_coco,
        LabelFormat.LABELME: read_labelme_labels,
        LabelFormat.YOLO: read_yolo,
        LabelFormat.MEGADETECTOR: partial(read_megadetector, least=options.least),
    }
    yield from readers[options.label_format](options.path, options.label_set)
    if options.label_format is LabelFormat.NCFM:
        # The competition's images lie in folders by species, and its images without fish are in no file at all.
        yield from _by_folder(files, options, unnamed=None)


def _written_species(
    options: ImportOptions, records: Sequence[RawRecord | RecordProblem | RecordNote], files: Sequence[FoundFile]
) -> Counter[str]:
    """Return the species as the files write them, with the images of each.

    A text that can name no species is none of them: its images are left out, each with the reason.
    """
    found: Counter[str] = Counter()
    if options.label_format is LabelFormat.FOLDERS:
        below = _files_below(options.path, files, options.root)
        found.update(name for file in below if (name := _folder_species(file, options)) is not None)
    for raw in records:
        if isinstance(raw, RawRecord):
            found.update({*(box.species for box in raw.boxes), *([raw.species] if raw.species is not None else [])})
    if options.label_format is LabelFormat.NCFM:
        found += ncfm_species(options.path)
    return Counter({name: images for name, images in found.items() if may_name(name)})


def _folder_species(file: FoundFile, options: ImportOptions) -> str | None:
    """Return the folder that is named like a known species, else the one that the image lies in."""
    parts = os.fsdecode(os.path.relpath(file.folder, options.root)).split("/")
    known = [part for part in parts if species_named(part, options.label_set) is not None]
    return known[0] if known else parts[-1] if parts != ["."] else None


def _files_below(path: Path, files: Iterable[FoundFile], root: bytes) -> Iterator[FoundFile]:
    below = os.path.realpath(os.fsencode(path))
    if below != root and not below.startswith(root.rstrip(b"/") + b"/"):
        raise LabelFileError(f"{path}: is not in the folder of the images, {os.fsdecode(root)}")
    return (file for file in files if (file.folder + b"/").startswith(below + b"/"))


def _by_folder(files: Iterable[FoundFile], options: ImportOptions, *, unnamed: str | None) -> Records:
    for file in files:
        path = os.fsdecode(os.path.relpath(file.folder + b"/" + file.name, options.root))
        place = f"{os.fsdecode(options.root)}/{path}"
        named = [species_named(part, options.label_set) for part in path.split("/")[:-1]]
        species = list(dict.fromkeys(name for name in named if name is not None))
        if len(species) == 1:
            yield RawRecord(path, place, species=species[0], partial=True)
        elif species:
            yield RecordProblem(place, f"its folders say {' and '.join(species)}")
        elif unnamed is not None:
            yield RecordProblem(place, unnamed)


def _find_images(
    records: Sequence[RawRecord | RecordProblem | RecordNote],
    files: Sequence[FoundFile],
    options: ImportOptions,
    summary: LabelImport,
) -> list[tuple[FoundFile, RawRecord]]:
    """Return each image with the one record that is written of it."""
    raws = [record for record in records if isinstance(record, RawRecord)]
    summary.notes += [str(note) for note in records if isinstance(note, RecordNote)]
    summary.problems += [str(problem) for problem in records if isinstance(problem, RecordProblem)]
    names = (raw.image_name for raw in raws)
    finder = ImageFinder(files, root=options.root, written=names, label_set=options.label_set)
    found: dict[tuple[bytes, bytes], tuple[FoundFile, list[RawRecord]]] = {}
    for raw in raws:
        try:
            file = finder.find(raw.image_name)
        except ImageNotFound as error:
            summary.problems.append(f"{raw.place}: {error}")
            continue
        found.setdefault((file.folder, file.name), (file, []))[1].append(raw)
    return [(file, settle(own)) for file, own in found.values()]


def _labels(
    records: Sequence[tuple[FoundFile, RawRecord]], options: ImportOptions, summary: LabelImport, progress: Progress
) -> Iterator[NewLabel]:
    for done, (file, raw) in enumerate(records):
        progress(done, len(records))
        label = _label(file, raw, options, summary)
        summary.left_out += label is None
        if label is not None:
            yield label
    progress(len(records), len(records))


def _label(file: FoundFile, raw: RawRecord, options: ImportOptions, summary: LabelImport) -> NewLabel | None:
    if raw.problems:
        summary.problems += [f"{problem}; {_named(file)} is left out" for problem in raw.problems]
        return None
    try:
        image = options.look(file)
    except TaffrailError as error:
        summary.problems.append(f"{raw.place}: {_named(file)}: {error}")
        return None
    repaired = repair(raw, width_px=image.width_px or 0, height_px=image.height_px or 0, label_set=options.label_set)
    summary.notes += [f"{raw.place}: {text}" for text in repaired.notes]
    summary.problems += [f"{raw.place}: {text}; {_named(file)} is left out" for text in repaired.problems]
    return NewLabel(file, image, repaired.label, raw.place) if repaired.label is not None else None


def _without_contradictions(labels: Iterable[NewLabel], summary: LabelImport) -> list[NewLabel]:
    """Return the labels without those of contents that lie at two places and are labelled differently."""
    by_content: dict[str, list[NewLabel]] = defaultdict(list)
    for new in labels:
        by_content[new.image.sha256].append(new)
    kept = []
    for same in by_content.values():
        if len({label_digest(new.label) for new in same}) == 1:
            kept += same
            continue
        summary.left_out += len(same)
        first, *others = same
        summary.problems += [
            f"{other.place}: {_named(other.file)} is the same image as {_named(first.file)}, and {first.place} says "
            "something else of it; both are left out"
            for other in others
        ]
    return kept


def _named(file: FoundFile) -> str:
    return os.fsdecode(file.name)
