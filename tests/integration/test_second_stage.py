"""Two stages in a worker: every detection's crop is evaluated, stored beside the heads' answers, and counts in the
end.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine, select

from db.domain.boxes import Box
from db.domain.final_answer import image_prediction
from db.domain.model_versions import ModelCard, SecondStage
from db.domain.species import DEFAULT_LABEL_SET
from db.session import reading, transaction
from db.settings import Settings
from db.store.model_versions import register_model
from db.store.results import page_of_results
from db.tables.jobs import BatchRow
from db.tables.predictions import PredictionRow
from tests.factories import add_noop_champion, write_images
from worker.images.decode import DecodedImage, decode_image
from worker.images.enqueue import enqueue_folder
from worker.inference.detector import NOOP_KIND
from worker.inference.fixed_batch import NetworkFailed
from worker.inference.second_stage import BATCH_CROPS, CropClassifier
from worker.inference.tasks import InferWorker
from worker.models.crop_classifier import build_crop_classifier, build_pooled_trunk, set_logits
from worker.storage.model_files import card_to_json, save_bundle

SPECIES = DEFAULT_LABEL_SET.names
PART = SecondStage(
    trunk="efficientnet_lite0",
    crop_px=64,
    margin=0.1,
    species=SPECIES,
    method="frozen",
    turns=1,
    temperature=2.0,
    log_prior_shift=tuple(np.linspace(-0.5, 0.5, len(SPECIES)).tolist()),
    weight=0.75,
)


@pytest.fixture(scope="module")
def classifier():
    """A crop classifier whose trunk and last layer are drawn at random: its answers differ from crop to crop."""
    model = build_crop_classifier(build_pooled_trunk("efficientnet_lite0", crop_px=64), species=len(SPECIES))
    rng = np.random.default_rng(3)
    set_logits(model, rng.normal(0, 0.5, (1280, len(SPECIES))).astype(np.float32), np.zeros(len(SPECIES), np.float32))
    return model


@pytest.fixture
def settings(engine: Engine, tmp_path: Path) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    return Settings(TAFFRAIL_DATABASE_URL=url, home=tmp_path / "home", batch_items=4)  # type: ignore[call-arg]


def test_both_stages_are_stored_and_the_documented_rule_makes_the_answer(
    engine: Engine, settings: Settings, classifier, tmp_path: Path
) -> None:
    write_images(tmp_path / "images", 6)
    _add_two_stages(engine, settings, classifier)

    results = _infer(engine, settings, tmp_path / "images")

    served = CropClassifier(PART, classifier)
    answers = set()
    for result in results:
        prediction = result.prediction
        assert prediction is not None
        if not prediction.detections:
            assert prediction.crop_probabilities is None
            continue
        image = decode_image(Path(os.fsdecode(result.file)).read_bytes())
        expected = served.distributions([(image, [found.detection.box for found in prediction.detections])])
        stored = [found.crop_probabilities for found in prediction.detections]
        assert np.allclose(stored, expected, atol=1e-5)
        for found in prediction.detections:
            assert found.crop_probabilities is not None
            assert found.crop_confidence == max(found.crop_probabilities)
            assert found.crop_species == SPECIES[int(np.argmax(found.crop_probabilities))]
        by_crops = image_prediction(stored, [found.detection.confidence for found in prediction.detections], no_fish=4)
        heads = np.add(prediction.box_probabilities, prediction.heatmap_probabilities) / 2
        assert np.allclose(prediction.probabilities, 0.25 * heads + 0.75 * np.asarray(by_crops))
        answer = SPECIES.index(prediction.final_species)
        clearest = 0.25 * heads[answer] + 0.75 * max(crop[answer] for crop in stored)
        place = 1.0 if prediction.final_species == "NoF" else prediction.agreement.iou
        parts = [heads[answer], prediction.probabilities[answer], clearest, place]
        assert prediction.agreement.score == pytest.approx(np.mean(parts), abs=1e-6)
        answers.add(prediction.final_species)
    with reading(engine) as session:
        rows = {row.id: row.species for row in session.scalars(select(PredictionRow))}
    assert rows == {one.prediction.prediction_id: one.prediction.final_species for one in results if one.prediction}
    assert len(answers) > 1  # not everything is one species, so equality means something


def test_a_version_without_a_second_stage_answers_as_ever(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 2)
    add_noop_champion(engine, settings.models_dir)

    for result in _infer(engine, settings, tmp_path / "images"):
        prediction = result.prediction
        assert prediction is not None
        assert prediction.crop_probabilities is None and prediction.crop_weight == 0.0
        assert [found.crop_species for found in prediction.detections] == [None] * len(prediction.detections)
        heads = np.add(prediction.box_probabilities, prediction.heatmap_probabilities) / 2
        assert np.allclose(prediction.probabilities, heads)


def test_an_altered_second_stage_is_not_served(engine: Engine, settings: Settings, classifier, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 2)
    _add_two_stages(engine, settings, classifier)
    file = settings.models_dir / "two" / "crops.keras"
    file.write_bytes(file.read_bytes() + b"x")

    results = _infer(engine, settings, tmp_path / "images")

    assert [result.prediction for result in results] == [None, None]  # given back: they wait for a sound model


def test_answers_do_not_depend_on_which_crops_share_a_batch(classifier) -> None:
    served = CropClassifier(dataclasses.replace(PART, turns=4), classifier)
    rng = np.random.default_rng(0)
    images = [DecodedImage(rng.integers(0, 255, (90, 160, 3), dtype=np.uint8), 320, 180, None) for _ in range(3)]
    boxes = [Box(10, 10, 90, 60), Box(100, 20, 300, 170), Box(-20, 100, 50, 200)]

    together = served.distributions([(image, boxes) for image in images])
    alone = [served.distributions([(image, [box])])[0] for image in images for box in boxes]

    assert len(together) == 9 > BATCH_CROPS
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(together.sum(axis=1), 1.0)


def test_four_turns_answer_alike_however_the_fish_lies(classifier) -> None:
    served = CropClassifier(dataclasses.replace(PART, turns=4), classifier)
    pixels = np.asarray(Image.effect_noise((64, 64), 80).convert("RGB"))
    turned = np.ascontiguousarray(np.rot90(pixels))

    answers = served.distributions(
        [(DecodedImage(shown, 64, 64, None), [Box(0, 0, 64, 64)]) for shown in (pixels, turned)]
    )

    assert np.allclose(answers[0], answers[1], atol=1e-4)


def test_nothing_detected_asks_nobody_and_a_failing_network_is_no_images_fault(classifier) -> None:
    served = CropClassifier(PART, classifier)
    image = DecodedImage(np.zeros((90, 160, 3), dtype=np.uint8), 160, 90, None)

    assert served.distributions([(image, [])]).shape == (0, len(SPECIES))
    served._network = lambda batch: 1 / 0  # type: ignore[assignment]
    with pytest.raises(NetworkFailed, match="ZeroDivisionError"):
        served.distributions([(image, [Box(0, 0, 9, 9)])])


def _add_two_stages(engine: Engine, settings: Settings, classifier) -> None:
    card = ModelCard(NOOP_KIND, "", "", (90, 160), SPECIES, (), second_stage=PART)
    hashes = save_bundle(settings.models_dir, "two", None, card, crops=classifier)
    with transaction(engine) as session:
        plain = json.loads(card_to_json(card, sha256=""))
        register_model(
            session, "two", sha256=hashes.sha256, crops_sha256=hashes.crops_sha256, card=plain, note="a test"
        )


def _infer(engine: Engine, settings: Settings, images: Path):
    enqueue_folder(engine, settings, os.fsencode(images))
    worker = InferWorker("tester", settings)
    with reading(engine) as session:
        batch_ids = list(session.scalars(select(BatchRow.id).order_by(BatchRow.id)))
    for batch_id in batch_ids:
        worker.infer_batch(batch_id)
    with reading(engine) as session:
        return page_of_results(session, 1, after_item=0)
