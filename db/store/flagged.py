"""Which predictions a person should look at, as conditions of queries: the rule of `StoredPrediction.is_flagged`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, or_

from db.domain.results import KNOWN_EDGE
from db.tables.predictions import PredictionRow


def unlike() -> ColumnElement[bool]:
    """Whether an image is unlike all that its model learnt from."""
    return func.coalesce(PredictionRow.novelty, 0.0) > KNOWN_EDGE


def flagged(below: float) -> ColumnElement[bool]:
    """Whether an image is flagged. below: the chance to be right under which it is."""
    return or_(PredictionRow.error_probability > 1.0 - below, unlike())
