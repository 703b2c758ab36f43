"""One row an image, for spreadsheets; no cell is ever a formula."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from db.domain.answers import FinalAnswer
from db.domain.results import ImageResult
from db.domain.taken_with import TakenWith
from worker.results.files import new_file
from worker.results.options import Export

# What spreadsheets take for the beginning of a formula. Source: OWASP, CSV Injection.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

_PLACE = ("file", "camera", "captured_at", "state")
_ANSWER = ("final_species", "answered_by", "probability", "fish", "fish_by_species")
_BOX = ("x_min", "y_min", "x_max", "y_max", "box_species", "box_fish_probability", "box_probability")
_MODEL = ("model_species", "agreement", "error_probability", "flagged", "model", "predicted_at")
_REVIEW = ("reviewed_by", "reviewed_at", "outcome")
_AFTER = ("width_px", "height_px", "sha256")
_TAKEN_WITH = ("latitude", "longitude", "camera_model", "camera_serial")
_LAST = ("failure", "note")


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the table; it has a place for every image, so nothing is returned."""
    with new_file(out) as file:
        rows = csv.writer(file, lineterminator="\n")
        shares = [harmless(f"p_{name}") for name in export.label_set.names]
        rows.writerow([*_PLACE, *_ANSWER, *_BOX, *shares, *_MODEL, *_REVIEW, *_AFTER, *_TAKEN_WITH, *_LAST])
        for result in results:
            rows.writerow(_row(result, export))
    return []


def harmless(text: str) -> str:
    """Return a cell that no spreadsheet runs: what looks like a formula gets an apostrophe before it.

    >>> harmless("=HYPERLINK(1)"), harmless("boat_1/0042.jpg")
    ("'=HYPERLINK(1)", 'boat_1/0042.jpg')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _row(result: ImageResult, export: Export) -> list[object]:
    return [
        *[harmless(result.path), harmless(result.camera), result.captured_at or "", str(result.state)],
        *_answer(export.answer(result), export),
        *_model(result, export),
        *_review(result),
        *[_or_empty(result.width_px), _or_empty(result.height_px), result.sha256 or ""],
        *_taken_with(result.taken_with),
        *[harmless(result.failure or ""), harmless(result.note or "")],
    ]


def _taken_with(told: TakenWith) -> list[object]:
    position = ["", ""] if told.position is None else [f"{degrees:.7f}" for degrees in told.position]
    return [*position, harmless(told.camera_model or ""), harmless(told.camera_serial or "")]


def _answer(answer: FinalAnswer | None, export: Export) -> list[object]:
    """The answer, its surest box and its distribution."""
    if answer is None:
        return [""] * (len(_ANSWER) + len(_BOX) + len(export.label_set))
    fish = Counter(box.species for box in answer.boxes)
    told = " ".join(f"{species}:{count}" for species, count in sorted(fish.items()))
    shares = [f"{value:.4f}" for value in export.probabilities(answer)]
    figures = [f"{answer.probability:.4f}", len(answer.boxes), harmless(told)]
    return [harmless(answer.species), str(answer.by), *figures, *_box(answer), *shares]


def _box(answer: FinalAnswer) -> list[object]:
    if not answer.boxes:
        return [""] * len(_BOX)
    first = answer.boxes[0]
    corners = [f"{value:.1f}" for value in first.box.xyxy]
    return [*corners, harmless(first.species), f"{first.fish_probability:.4f}", f"{first.probability:.4f}"]


def _model(result: ImageResult, export: Export) -> list[object]:
    said = result.prediction
    if said is None:
        return [""] * len(_MODEL)
    flagged = "yes" if result.is_open(export.options.flag_below) else "no"
    figures = [f"{said.agreement.score:.4f}", f"{said.error_probability:.4f}", flagged]
    return [harmless(said.final_species), *figures, said.model_version, said.predicted_at]


def _review(result: ImageResult) -> list[object]:
    said = result.review
    if said is None or said.label is None:
        return [""] * len(_REVIEW)
    return [harmless(said.reviewer), said.reviewed_at, str(said.outcome)]


def _or_empty(value: int | None) -> object:
    return "" if value is None else value
