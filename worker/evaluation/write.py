"""Writes an evaluation into a folder: the figures as JSON, three plots, and a sheet of images to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from db.domain.evaluations import ComparedFigures, Figures
from db.errors import TaffrailError
from db.whole_files import whole_file, write_whole
from worker.evaluation.answers import Answers, EvaluatedImages
from worker.evaluation.overlays import choose_images, draw_images
from worker.evaluation.plots import draw_cameras, draw_confusion, draw_reliability


class EvaluationFolderError(TaffrailError):
    """The folder cannot be written."""


def make_folder(out: Path) -> None:
    """Make the folder, before hours of training and not after them.

    Raises:
        EvaluationFolderError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationFolderError(f"{out}: cannot be made ({error.strerror or error})") from error


def write_evaluation(
    out: Path,
    told: Mapping[str, object],
    figures: ComparedFigures,
    evaluated: EvaluatedImages,
    answers: Answers,
    *,
    at_random: Figures | None,
    images: int,
    input_hw: tuple[int, int],
    seed: int,
) -> list[str]:
    """Return the names of the files written; the plots and images are of one compared model.

    told: as `cli evaluate --json` prints it. figures, at_random: of that model. images: how many to show.
    Raises:
        EvaluationFolderError: a file cannot be written.
    """
    sheets: dict[str, Image.Image | None] = {
        "confusion.png": draw_confusion(
            figures.confusion, evaluated.label_set.names, title=f"{answers.name}: what was called what"
        ),
        "reliability.png": draw_reliability(
            figures.reliability.as_said,
            figures.reliability.calibrated,
            title=f"{answers.name}: how sure, how right",
        ),
        "cameras.png": draw_cameras(
            figures.by_camera,
            title=f"{answers.name}: share named right, by camera",
            mean=figures.mean["accuracy"],
            at_random=at_random["accuracy"] if at_random else None,
        ),
    }
    if images:
        rows = choose_images(evaluated, answers, images, seed=seed)
        sheets["images.jpg"] = draw_images(evaluated, answers, rows, input_hw=input_hw)
    written = []
    try:
        write_whole(out / "figures.json", json.dumps(told, indent=1).encode())
        for name, sheet in sheets.items():
            if sheet is not None:
                _save(sheet, out / name)
                written.append(name)
    except OSError as error:
        raise EvaluationFolderError(f"{out}: cannot be written ({error.strerror or error})") from error
    return ["figures.json", *written]


def _save(sheet: Image.Image, file: Path) -> None:
    with whole_file(file, synced=False) as draft:
        if file.suffix == ".jpg":
            sheet.save(draft, "JPEG", quality=88)
        else:
            sheet.save(draft, "PNG", optimize=True)
