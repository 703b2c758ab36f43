"""The last step of a job: a camera's images answer together, exactly, however often and by whomever it is asked."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, func, select

from db.domain.model_versions import ModelCard
from db.domain.results import ImageResult
from db.session import reading, transaction
from db.settings import Settings
from db.store.catch import job_answers
from db.store.model_versions import register_model
from db.store.results import page_of_results
from db.store.review_queue import QueueFilter, load_candidates, waiting_predictions
from db.tables.jobs import BatchRow
from db.tables.predictions import NeighbourAnswerRow, PredictionRow
from tests.factories import write_images
from tests.integration.test_finetune_crops import small_trunk
from tests.integration.test_second_stage import PART, SPECIES
from worker.images.enqueue import enqueue_folder
from worker.inference.detector import NOOP_KIND
from worker.inference.settle_neighbours import settle_job
from worker.inference.tasks import InferWorker
from worker.models.crop_classifier import build_crop_classifier, build_served, set_logits
from worker.storage.model_files import card_to_json, save_bundle

HEARING = dataclasses.replace(PART, neighbour_temperature=1.5)


@pytest.fixture(scope="module")
def served():
    """A classifier as it is served, with embeddings, drawn at random."""
    rng = np.random.default_rng(3)
    model = build_crop_classifier(small_trunk("", crop_px=64), species=len(SPECIES))
    set_logits(model, rng.normal(0, 2.0, (16, len(SPECIES))).astype(np.float32), np.zeros(len(SPECIES), np.float32))
    directions = rng.normal(0, 1, (16, 8)).astype(np.float32)
    return build_served(model, mean=np.zeros(16, np.float32), directions=directions)


@pytest.fixture
def settings(engine: Engine, tmp_path: Path) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    return Settings(TAFFRAIL_DATABASE_URL=url, home=tmp_path / "home", batch_items=4)  # type: ignore[call-arg]


@pytest.fixture
def images(engine: Engine, settings: Settings, served, tmp_path: Path) -> Path:
    """Two cameras: eight images and two, and a model whose crops hear each other."""
    write_images(tmp_path / "all", 12)
    for number, file in enumerate(sorted((tmp_path / "all").rglob("*.jpg"))):
        camera = tmp_path / "images" / ("first" if number < 8 else "second" if number < 10 else "later")
        camera.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, camera / file.name)
    shutil.move(tmp_path / "images" / "later", tmp_path / "later")
    card = ModelCard(NOOP_KIND, "", "", (90, 160), SPECIES, (), second_stage=HEARING)
    hashes = save_bundle(settings.models_dir, "two", None, card, crops=served)
    plain = json.loads(card_to_json(card, sha256=""))
    with transaction(engine) as session:
        register_model(
            session, "two", sha256=hashes.sha256, crops_sha256=hashes.crops_sha256, card=plain, note="a test"
        )
    return tmp_path / "images"


def test_a_camera_of_enough_crops_answers_together_and_another_alone(
    engine: Engine, settings: Settings, images: Path
) -> None:
    results = _infer(engine, settings, images)

    alone = _alone(engine)
    assert _heard(results, "first") == {8}
    assert _heard(results, "second") == {0}
    for result in _with_fish(results):
        assert result.prediction is not None and result.prediction.crop_probabilities is not None
        stands = np.allclose(result.prediction.crop_probabilities, alone[result.prediction.prediction_id])
        assert stands == (result.camera == "second")
        assert sum(result.prediction.crop_probabilities) == pytest.approx(1.0)


def test_asking_again_changes_nothing_and_a_lost_step_is_made_up_for(
    engine: Engine, settings: Settings, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _told(_infer(engine, settings, images))
    assert settle_job(engine, 1) == 0

    with transaction(engine) as session:  # as if the worker had been killed before the step
        session.query(NeighbourAnswerRow).delete()

    assert settle_job(engine, 1) > 5
    assert _told(_results(engine)) == whole


def test_more_images_of_the_camera_are_heard_by_all_of_them(engine: Engine, settings: Settings, images: Path) -> None:
    before = _told(_infer(engine, settings, images))
    for file in sorted((images.parent / "later").iterdir()):
        shutil.copy(file, images / "first" / file.name)

    after = _infer(engine, settings, images)

    assert _heard(after, "first") == {10}
    assert _told(after)[:8] != before[:8]
    with reading(engine) as session:
        digests = select(func.count(NeighbourAnswerRow.heard_digest.distinct()))
        assert session.scalar(digests) == 1  # nothing is left of what eight of them said


def test_a_copy_of_an_image_is_heard_once(engine: Engine, settings: Settings, images: Path) -> None:
    file = sorted((images / "first").iterdir())[0]
    shutil.copy(file, images / "first" / "copy.jpg")

    results = _infer(engine, settings, images)

    assert _heard(results, "first") == {8}


def _with_fish(results: list[ImageResult]) -> list[ImageResult]:
    return [one for one in results if one.prediction and one.prediction.detections]


def _heard(results: list[ImageResult], camera: str) -> set[int]:
    """How many images were heard by those of a camera that show anything."""
    return {one.prediction.heard_images for one in _with_fish(results) if one.camera == camera and one.prediction}


def _alone(engine: Engine) -> dict[int, list[float]]:
    with reading(engine) as session:
        rows = session.execute(select(PredictionRow.id, PredictionRow.crop_probabilities))
        return {prediction_id: list(said or ()) for prediction_id, said in rows}


def _told(results: list[ImageResult]) -> list[tuple[float, ...]]:
    return [one.prediction.crop_probabilities or () for one in results if one.prediction]


def _results(engine: Engine) -> list[ImageResult]:
    with reading(engine) as session:
        return page_of_results(session, 1, after_item=0)


def _infer(engine: Engine, settings: Settings, images: Path) -> list[ImageResult]:
    enqueue_folder(engine, settings, os.fsencode(images))
    worker = InferWorker("tester", settings)
    with reading(engine) as session:
        batch_ids = list(session.scalars(select(BatchRow.id).order_by(BatchRow.id)))
    for batch_id in batch_ids:
        worker.infer_batch(batch_id)
    worker.close()
    return _results(engine)


def test_the_review_queue_and_the_summary_say_what_results_say(
    engine: Engine, settings: Settings, images: Path
) -> None:
    _infer(engine, settings, images)
    with transaction(engine) as session:  # the second stage's word alone, so that hearing others tells
        for heard in session.query(NeighbourAnswerRow):
            session.get_one(PredictionRow, heard.prediction_id).crop_weight = 1.0
        session.query(NeighbourAnswerRow).delete()
    settle_job(engine, 1)
    results = _results(engine)
    told = {one.prediction.prediction_id: one.prediction.final_species for one in results if one.prediction}
    with reading(engine) as session:
        alone = {row.id: row.species for row in session.query(PredictionRow)}
    assert told != alone  # hearing the others changed what some are called

    with reading(engine) as session:
        candidates = load_candidates(session, sorted(told), with_heatmaps=False)
        summed = job_answers(session, 1, model_version="two")
        asked = {
            species: waiting_predictions(session, QueueFilter("two", 0.5, species=species))
            for species in set(told.values())
        }

    assert {one.prediction_id: one.species for one in candidates.values()} == told
    assert all(one.answer.species == told[key] for key, one in candidates.items())
    names = summed.species_names.names
    assert dict(zip(summed.prediction_id, [names[code] for code in summed.species], strict=True)) == told
    assert asked == {
        species: sorted(key for key, name in told.items() if name == species) for species in set(told.values())
    }


def test_answers_of_before_the_species_was_kept_are_made_again(
    engine: Engine, settings: Settings, images: Path
) -> None:
    _infer(engine, settings, images)
    with transaction(engine) as session:
        session.query(NeighbourAnswerRow).update({"species": None})

    assert settle_job(engine, 1) > 5

    with reading(engine) as session:
        assert not session.query(NeighbourAnswerRow).filter(NeighbourAnswerRow.species.is_(None)).count()
