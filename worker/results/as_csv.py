"""One row an image, for spreadsheets; no cell is ever a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from db.domain.corrections import Correction
from db.domain.results import ImageResult, StoredPrediction
from worker.results.files import new_file
from worker.results.options import Export

# What spreadsheets take for the beginning of a formula. Source: OWASP, CSV Injection.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

_BEFORE = (
    "file",
    "camera",
    "captured_at",
    "state",
    "species",
    "confidence",
    "agreement",
    "error_probability",
    "flagged",
    "fish",
)
_BOX = ("x_min", "y_min", "x_max", "y_max")
_REVIEW = ("reviewed_species", "reviewed_by", "reviewed_at")
_AFTER = ("width_px", "height_px", "model", "predicted_at", "sha256", *_REVIEW, "failure")


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the table; it has a place for every image, so nothing is returned."""
    with new_file(out) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*_BEFORE, *_BOX, *(harmless(f"p_{name}") for name in export.label_set.names), *_AFTER])
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
    said = result.prediction
    place = [harmless(result.path), harmless(result.camera), result.captured_at or "", str(result.state)]
    prediction = (
        _prediction(said, export) if said else [""] * (len(_BEFORE) - len(place) + len(_BOX) + len(export.label_set))
    )
    model = [said.model_version, said.predicted_at] if said else ["", ""]
    size = [_or_empty(result.width_px), _or_empty(result.height_px)]
    return [
        *place,
        *prediction,
        *size,
        *model,
        result.sha256 or "",
        *_review(result.review),
        harmless(result.failure or ""),
    ]


def _prediction(said: StoredPrediction, export: Export) -> list[object]:
    """Species to the last probability; the box is the first of those that go out, so the largest fish's if boxed."""
    chosen = export.chosen(said)
    box = [f"{value:.1f}" for value in chosen[0].detection.box.xyxy] if chosen else [""] * len(_BOX)
    flagged = "yes" if said.is_flagged(export.options.flag_below) else "no"
    figures = [
        f"{said.confidence:.4f}",
        f"{said.agreement.score:.4f}",
        f"{said.error_probability:.4f}",
        flagged,
        len(chosen),
    ]
    probabilities = [f"{value:.4f}" for value in export.probabilities(said)]
    return [harmless(said.final_species), *figures, *box, *probabilities]


def _review(said: Correction | None) -> list[object]:
    if said is None or said.label is None:
        return [""] * len(_REVIEW)
    return [harmless(said.label.species), harmless(said.reviewer), said.reviewed_at]


def _or_empty(value: int | None) -> object:
    return "" if value is None else value
