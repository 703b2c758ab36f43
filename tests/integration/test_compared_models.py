"""What several model versions answered of the same images, from a real job."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import select

from db.domain.labels import ImageLabel
from db.migrate import open_database
from db.session import reading
from db.settings import make_home
from db.store.compared_models import answers_by_model
from db.store.results import iterate_results
from db.tables.jobs import BatchRow
from tests.answers import store_answers
from tests.factories import add_noop_champion, finished_job, write_images
from worker.images.enqueue import enqueue_folder
from worker.inference.tasks import InferWorker


def test_a_second_versions_answers_stand_beside_the_first_ones_and_a_persons(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    write_images(tmp_path / "images" / "boat_1", 3)
    settings = finished_job(engine, home, tmp_path / "images")
    with reading(engine) as session:
        assert answers_by_model(session, 1) is None  # one version alone

    add_noop_champion(engine, settings.models_dir, model_id="noop-2", state="candidate")
    again = enqueue_folder(engine, settings, os.fsencode(tmp_path / "images"), model="noop-2")
    with reading(engine) as session:
        batches = list(session.scalars(select(BatchRow.id).where(BatchRow.job_id == again.job_id)))
    worker = InferWorker("tester", settings)
    for batch_id in batches:
        worker.infer_batch(batch_id)
    first = next(iterate_results(engine, 1))
    store_answers(engine, {str(first.sha256): ImageLabel("SHARK", ())})
    with reading(engine) as session:
        found = answers_by_model(session, 1)
    expected = [result.prediction.final_species for result in iterate_results(engine, 1) if result.prediction]
    engine.dispose()

    assert found is not None and list(found.by_model) == ["noop", "noop-2"]
    assert [list(answers.values()) for answers in found.by_model.values()] == [expected, expected]
    assert list(found.said.values()) == ["SHARK"]
    assert {found.items[image] for image in found.said} == {first.item_id}
