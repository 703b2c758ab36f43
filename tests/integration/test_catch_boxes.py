"""Catch figures count each box by its own species, as results do; renamed species by the names that they have now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from annotator.catch.summary import summarise_catch
from db.domain.answers import predicted_answer
from db.domain.predictions import Head
from db.domain.species import DEFAULT_LABEL_SET, NO_FISH, LabelSet
from db.session import reading, transaction
from db.store.results import iterate_results
from db.store.species import decide_label_set, held_label_set, rename_species
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import finished_job, sure_of, write_images

IMAGES, SEVERAL = 8, 3
SECOND = "DOL"


@pytest.fixture
def several(engine: Engine, tmp_path: Path) -> Engine:
    """A job of eight images, in three of which a second fish lies, whose crop shows another species."""
    write_images(tmp_path / "images", IMAGES)
    with transaction(engine) as session:
        decide_label_set(session, DEFAULT_LABEL_SET)
    finished_job(engine, tmp_path / "home", tmp_path / "images")
    with transaction(engine) as session:
        for prediction in session.scalars(select(PredictionRow).where(PredictionRow.species != NO_FISH).limit(SEVERAL)):
            prediction.crop_weight, prediction.crop_probabilities = 0.9, sure_of(prediction.species)
            first = session.scalars(
                select(DetectionRow).where(
                    DetectionRow.prediction_id == prediction.id, DetectionRow.head == Head.HEATMAP.value
                )
            ).first()
            assert first is not None
            first.confidence, first.crop_probabilities = 0.99, sure_of(prediction.species)
            first.crop_species, first.crop_confidence = prediction.species, 0.86
            session.add(_second_fish(prediction.id))
    return engine


def _second_fish(prediction_id: int) -> DetectionRow:
    return DetectionRow(
        prediction_id=prediction_id,
        head=Head.HEATMAP.value,
        species=SECOND,
        confidence=0.98,
        x_min=0.0,
        y_min=0.0,
        x_max=30.0,
        y_max=20.0,
        crop_species=SECOND,
        crop_confidence=0.86,
        crop_probabilities=sure_of(SECOND),
    )


def test_the_models_figures_are_those_of_its_results(several: Engine) -> None:
    wanted = _counted(several)

    assert _summed(several) == wanted
    assert wanted[SECOND] >= SEVERAL and len(wanted) > 1


def test_a_species_that_was_renamed_since_is_counted_by_its_name_of_now(several: Engine) -> None:
    with transaction(several) as session:
        rename_species(session, SECOND, "MAHI")

    assert _summed(several) == _counted(several)
    assert SECOND not in _summed(several) and _summed(several)["MAHI"] >= SEVERAL


def _counted(engine: Engine) -> Counter[str]:
    answers = [predicted_answer(result) for result in iterate_results(engine, 1)]
    return Counter(box.species for answer in answers if answer is not None for box in answer.boxes)


def _summed(engine: Engine) -> Counter[str]:
    with reading(engine) as session:
        held: LabelSet | None = held_label_set(session)
    assert held is not None
    told = summarise_catch(engine, 1, (), label_set=held)
    return Counter({one.figure: int(one.model) for one in told.figures if one.figure != "all fish" and one.model})
