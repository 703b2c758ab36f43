"""The chance to be wrong in the store: which fit counts for a model, and every prediction's figure by it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, select
from sqlalchemy.orm import Session

from db.domain.error_probability import ErrorFit, chance_wrong, error_probability_by_rule, parts_from
from db.domain.stored_fit import fit_from_json, fit_to_json
from db.progress import Progress, no_progress
from db.session import reading, transaction
from db.store.images import camera_of_image
from db.store.many_rows import one_of, update_rows
from db.tables.predictions import PredictionRow
from db.tables.reviews import ErrorFitRow

THE_RULE = 0
_PAGE = 10_000
_PARTS = (
    PredictionRow.agreement,
    PredictionRow.iou,
    PredictionRow.species_distance,
    PredictionRow.box_entropy,
    PredictionRow.heatmap_entropy,
    PredictionRow.box_confidence,
    PredictionRow.heatmap_confidence,
    PredictionRow.fish_count,
)


@dataclass(frozen=True)
class StoredFit:
    """A fit as held; fit is None where the rule counts. number: of the fit, `THE_RULE` before the first."""

    number: int
    fit: ErrorFit | None
    fitted_on: Mapping[str, object]


def record_fit(
    session: Session, fit: ErrorFit | None, *, model_version: str, fitted_on: Mapping[str, object]
) -> StoredFit:
    """Return a new fit of a model version, which counts from now on; the caller commits."""
    row = ErrorFitRow(
        model_version_id=model_version,
        weights=None if fit is None else fit_to_json(fit),
        fitted_on=dict(fitted_on),
        created_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    return StoredFit(row.id, fit, fitted_on)


def current_fit(session: Session, model_version: str) -> StoredFit:
    """Return the fit that counts for a model version."""
    newest = select(ErrorFitRow).where(ErrorFitRow.model_version_id == model_version)
    row = session.scalars(newest.order_by(ErrorFitRow.id.desc()).limit(1)).first()
    if row is None:
        return StoredFit(THE_RULE, None, {})
    return StoredFit(row.id, None if row.weights is None else fit_from_json(row.weights), row.fitted_on)


def refresh_error_probabilities(engine: Engine, model_version: str, *, progress: Progress = no_progress) -> int:
    """Return how many predictions got the figure of the fit that counts; those that have it are not touched.

    Page by page, a transaction each: workers write in between, and an interruption costs nothing.
    """
    with reading(engine) as session:
        held = current_fit(session, model_version)
        # All ids at once, eight bytes each: asked for page by page, Postgres would step over all the dead rows again.
        ids = array("q", session.scalars(select(PredictionRow.id).where(*_older(held, model_version))))
    done = 0
    progress(0, len(ids))
    for start in range(0, len(ids), _PAGE):
        with transaction(engine) as session:
            done += _refresh_page(session, held, ids[start : start + _PAGE])
        progress(done, len(ids))
    return done


def _older(held: StoredFit, model_version: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (PredictionRow.model_version_id == model_version, PredictionRow.error_fit < held.number)


def _refresh_page(session: Session, held: StoredFit, ids: array[int]) -> int:
    query = select(PredictionRow.id, PredictionRow.species, camera_of_image(PredictionRow.image_id), *_PARTS)
    rows = session.execute(query.where(one_of(session, PredictionRow.id, ids.tolist()))).all()
    if not rows:
        return 0
    error_probabilities = _error_probabilities(held.fit, rows)
    values = [
        {"id": row[0], "error_probability": figure, "error_fit": held.number}
        for row, figure in zip(rows, error_probabilities, strict=True)
    ]
    # A newer fit's figures stay.
    update_rows(session, PredictionRow, values, only=[PredictionRow.error_fit < held.number])
    return len(rows)


def _error_probabilities(fit: ErrorFit | None, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[float]:
    parts = parts_from([row[3:] for row in rows])
    if fit is None:
        figures = error_probability_by_rule(parts[:, 0])
    else:
        figures = chance_wrong(fit, parts, species=[str(row[1]) for row in rows], cameras=[str(row[2]) for row in rows])
    return [float(figure) for figure in figures]
