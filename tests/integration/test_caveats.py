"""Before a job's answers are believed: cameras that the model never saw, images unlike all that it learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, update

from db.session import reading, transaction
from db.store.caveats import said_of_cameras, said_of_images
from db.store.results import iterate_results
from db.tables.models import ModelVersionRow
from db.tables.predictions import PredictionRow
from tests.factories import finished_job, image_result, write_images


def test_cameras_that_the_model_has_not_seen_are_named(engine: Engine, tmp_path: Path) -> None:
    for boat in ("boat_1", "boat_2~3", "boat_3"):
        write_images(tmp_path / "images" / boat, 1)
    finished_job(engine, tmp_path / "home", tmp_path / "images")
    with reading(engine) as session:
        assert said_of_cameras(session, 1, "noop") == []  # its card names no cameras

    with transaction(engine) as session:
        row = session.get_one(ModelVersionRow, "noop")
        row.card = {**row.card, "record": {"cameras": ["boat_1", "boat_2"]}}

    with reading(engine) as session:
        assert said_of_cameras(session, 1, "noop") == ["model noop has not seen 1 of 3 cameras before: boat_3"]


def test_images_unlike_all_that_was_learnt_from_are_counted_and_flagged(engine: Engine, tmp_path: Path) -> None:
    write_images(tmp_path / "images" / "boat_1", 4)
    finished_job(engine, tmp_path / "home", tmp_path / "images")
    with reading(engine) as session:
        assert said_of_images(session, 1) == []

    with transaction(engine) as session:
        session.execute(update(PredictionRow).values(novelty=0.8))
        session.execute(update(PredictionRow).where(PredictionRow.id <= 3).values(novelty=1.01))

    with reading(engine) as session:
        (line,) = said_of_images(session, 1)
    assert line.startswith("3 of 4 images are unlike everything that model noop learnt from")
    assert sorted(result.is_open(below=0.0) for result in iterate_results(engine, 1)) == [False, True, True, True]


def test_an_answer_is_flagged_where_it_is_doubtful_or_the_image_unlike() -> None:
    said = image_result().prediction
    assert said is not None  # its error probability is 0.2

    flags = [replace(said, novelty=novelty).is_flagged(below=0.5) for novelty in (None, 0.99, 1.01)]

    assert flags == [False, False, True] and said.is_flagged(below=0.9)
