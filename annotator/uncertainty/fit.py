"""Fits the chance to be wrong on what people answered, and gives every prediction its figure."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from annotator.uncertainty.calibrate import Answered, ErrorCalibration, calibrate
from annotator.uncertainty.is_wrong import is_wrong
from db.progress import Progress
from db.session import reading, transaction
from db.store.error_probabilities import record_fit, refresh_error_probabilities
from db.store.review_queue import answered_predictions, load_candidates
from db.store.reviews import current_corrections


def calibrate_error_probability(
    engine: Engine, *, model_version: str, progress: Progress = lambda done, total: None
) -> ErrorCalibration:
    """Return what came of fitting a model's chance to be wrong; the fit is stored and every prediction has its figure.

    Raises:
        TooFewAnswers: nothing is changed then.
    """
    with reading(engine) as session:
        answers = answers_to(session, model_version=model_version)
    found = calibrate(answers)
    fitted_on = {name: value for name, value in asdict(found).items() if name != "fit"}
    with transaction(engine) as session:
        record_fit(session, found.fit, model_version=model_version, fitted_on=fitted_on)
    refresh_error_probabilities(engine, model_version, progress=progress)
    return found


def answers_to(session: Session, *, model_version: str) -> list[Answered]:
    """Return the images that people were shown this model's prediction of and decided on.

    Answers to another model's prediction are left out: a model that has learnt from them is seldom wrong there.
    """
    said = current_corrections(session)
    shown = load_candidates(session, answered_predictions(session, model_version=model_version), with_heatmaps=False)
    return [
        Answered(
            one.agreement,
            one.species,
            one.camera,
            is_wrong(one.species, [stored.detection for stored in one.detections], label),
        )
        for one in shown.values()
        if one.sha256 in said and (label := said[one.sha256].label) is not None
    ]
