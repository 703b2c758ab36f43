"""The commands of labels: `cli labels import` brings in what others labelled; list and undo show and take it back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.label_imports import list_command, undo_command
from cli.shared.cameras import find_where_untold, find_with_bar, tell_same_named, tell_untold
from cli.shared.context import opened
from cli.shared.species import species_of_import
from cli.shared.terminal import say
from worker.results.names import ImagesIn, LabelsOut

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from annotator.label_formats.import_labels import LabelImport
    from db.domain.files import FoundFile
    from db.domain.outcomes import SeenImage
    from db.settings import Settings
    from worker.cameras.find import FoundCameras
    from worker.images.skipped import Skipped

app = typer.Typer(help="Bring in labelled images from other tools, and give out all labels held.", no_args_is_help=True)
app.command("list")(list_command)
app.command("undo")(undo_command)

_SHOWN = 20


class Format(StrEnum):
    """The formats that labels come in."""

    NCFM = "ncfm"
    COCO = "coco"
    LABELME = "labelme"
    YOLO = "yolo"
    FOLDERS = "folders"
    MEGADETECTOR = "megadetector"


class CamerasFrom(StrEnum):
    """How to know which camera took an image."""

    AUTO = "auto"
    FOLDER = "folder"
    BACKGROUND = "background"


@app.command("import")
def import_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The label file, or the folder of label files.")],
    label_format: Annotated[Format, typer.Option("--format", help="How the labels are written.")],
    images: Annotated[
        Path | None, typer.Option(help="The folder of the images; PATH itself where it is not given.")
    ] = None,
    cameras: Annotated[
        CamerasFrom,
        typer.Option(help="Take the folder as the camera, find it by metadata or background, or as the folders allow."),
    ] = CamerasFrom.AUTO,
    species: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="The species to know, with commas, or all: every name in these files."),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Confidence that a box of megadetector needs to be a label; 0.2."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Register labelled images; the last import is in force, and importing the same twice changes nothing.

    An image of which anything was not understood, or contradicts, is named and left out.

    The first import decides the species of this project: those of its files (`cli species` changes them). Folders
    named like species are no cameras, nor is one folder that holds everything: cameras are then found by the images'
    metadata, or else by their size and still background (see `cli cameras --help`).
    """
    from annotator.label_formats.import_labels import ImportOptions, LabelFormat, import_labels
    from annotator.label_formats.megadetector import LEAST_CONFIDENCE
    from cli.shared.progress import progress_bar
    from db.store.species import project_settings
    from worker.images.scan import scan_folder
    from worker.images.skipped import Skipped

    root = _folder(images or path)
    if not path.exists():
        raise typer.BadParameter(f"{path}: there is no such file or folder")
    if min_confidence is not None and label_format is not Format.MEGADETECTOR:
        raise typer.BadParameter(f"{label_format} has no confidences; --min-confidence goes with --format megadetector")
    settings, engine = opened()
    problems: list[str] = []
    skipped = Skipped()
    files = scan_folder(
        root,
        on_problem=lambda place, text: problems.append(f"{os.fsdecode(place)}: {text}"),
        leave_out=os.fsencode(os.path.realpath(settings.home)),
        skipped=skipped,
    )
    options = ImportOptions(
        path,
        LabelFormat(label_format.value),
        root,
        settings.label_set,
        _look_at(root, settings),
        decide=lambda written: species_of_import(engine, settings, written, wanted=species, quiet=as_json),
        least=LEAST_CONFIDENCE if min_confidence is None else min_confidence,
    )
    with progress_bar("images", quiet=as_json) as bar:
        task = bar.add_task("labels", total=None)
        done = import_labels(
            engine, options, files, progress=lambda count, total: bar.update(task, completed=count, total=total)
        )
    done.problems[:0] = problems
    settings = project_settings(engine, settings)
    found = _find_cameras(engine, root, settings, cameras, quiet=as_json) if done.labelled else None
    _tell(done, found, skipped, as_json=as_json)
    if not as_json:
        tell_same_named(engine, root)
    if done.problems or not done.labelled:
        raise typer.Exit(1)


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Option(help="File to write for coco and csv; a new folder for the others.")],
    label_format: Annotated[LabelsOut, typer.Option("--format", help="How the labels are written.")],
    images: Annotated[
        ImagesIn,
        typer.Option(help="How images come into a yolo or labelme folder; hard links share the originals' bytes."),
    ] = ImagesIn.COPY,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Write all labels and corrections held: one answer an image, a person's correction before a label file's word."""
    from cli.results import tell_exported
    from cli.shared.progress import progress_bar
    from worker.results.labels_held import export_labels
    from worker.results.names import ResultFormat
    from worker.results.options import ResultOptions

    settings, engine = opened()
    options = ResultOptions(
        ResultFormat(label_format.value), images=images, max_file_bytes=settings.max_file_mib * 2**20
    )
    with progress_bar("images", quiet=as_json) as bar:
        task = bar.add_task("writing", total=None)
        done = export_labels(
            engine,
            out,
            options,
            label_set=settings.label_set,
            progress=lambda count, total: bar.update(task, completed=count, total=total),
        )
    tell_exported(done, out, as_json=as_json)
    if done.problems:
        raise typer.Exit(1)


def _folder(images: Path) -> bytes:
    root = os.path.realpath(os.fsencode(images))
    if not os.path.isdir(root):
        raise typer.BadParameter(f"{images}: not a folder; name the folder of the images with --images")
    return root


def _look_at(root: bytes, settings: Settings) -> Callable[[FoundFile], SeenImage]:
    from worker.images.register import seen_image

    def look(file: FoundFile) -> SeenImage:
        return seen_image(file, root=root, settings=settings)

    return look


def _find_cameras(
    engine: Engine, root: bytes, settings: Settings, options: CamerasFrom, *, quiet: bool
) -> FoundCameras | None:
    """Return the cameras found where the folders do not tell them; None where they do."""
    from worker.cameras.find import images_below

    if options is CamerasFrom.FOLDER:
        return None
    if options is CamerasFrom.AUTO:
        return find_where_untold(engine, root, settings, quiet=quiet)
    return find_with_bar(engine, images_below(engine, root), quiet=quiet)


def _tell(done: LabelImport, found: FoundCameras | None, skipped: Skipped, *, as_json: bool) -> None:
    if as_json:
        cameras = {"cameras": found.cameras} if found else {}
        names = ("import_id", "labelled", "changed", "boxes", "left_out", "unlabelled")
        counts = {name: getattr(done, name) for name in names}
        typer.echo(
            json.dumps(
                {
                    **counts,
                    **cameras,
                    "species": done.species,
                    "skipped": skipped.as_json(),
                    "notes": done.notes,
                    "problems": done.problems,
                }
            )
        )
        return
    species = ", ".join(f"{name} {count}" for name, count in sorted(done.species.items()))
    typer.echo(f"{done.labelled} images with {done.boxes} boxes ({species}); {done.changed} labels are new or changed")
    if done.import_id is not None:
        typer.echo(f"import {done.import_id}; `cli labels undo {done.import_id}` takes it back")
    if done.left_out:
        typer.echo(f"{done.left_out} images are left out, because something of their labels was not understood")
    if done.unlabelled:
        typer.echo(f"{done.unlabelled} images have no label in these files")
    if skipped.text():
        typer.echo(skipped.text(), err=True)
    if found:
        tell_untold(found)
    for title, lines in (("repaired", done.notes), ("left out", done.problems)):
        for line in lines[:_SHOWN]:
            say(f"  {title}: {_one_line(line)}", fg=typer.colors.YELLOW, err=True)
        if len(lines) > _SHOWN:
            say(f"  ... and {len(lines) - _SHOWN} more {title} (--json shows all)", err=True)


def _one_line(text: str) -> str:
    """Return a line of a file's own words as one line: names may hold line breaks."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
