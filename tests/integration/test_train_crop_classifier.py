"""Training the second stage on drawn fish: it learns what a new camera's fish are, and names what does not suffice."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.model_versions import ModelCard
from db.domain.species import LabelSet, UnknownSpecies
from worker.models.errors import ModelFileError, TrainingError
from worker.storage.model_files import HeldModel, check_model_file, load_model_file, read_card, save_bundle
from worker.training.crops.calibrate import USUAL_TEMPERATURE
from worker.training.crops.samples import CropSample, crop_samples
from worker.training.crops.settings import CropTrainSettings
from worker.training.crops.train import TrainedCropClassifier, train_crop_classifier
from worker.training.data.samples import TrainingSample
from worker.vision.crop_answers import crop_distributions
from worker.vision.crops import letterbox_crop

LABELS = LabelSet(("ALB", "LAG", "NoF", "SHARK"))
SETTINGS = CropTrainSettings(label_set=LABELS, crop_px=64, views=3, turns=1, held_out=("camera 3",))


def draw_image(folder: Path, number: int) -> TrainingSample:
    """An image of 160 x 96 pixels: stripes are an ALB, plain is a LAG; each camera has a light of its own."""
    rng = np.random.default_rng(number)
    species, camera = ("ALB", "LAG", "NoF")[number % 3], number // 3 % 4
    pixels = rng.integers(60 + 20 * camera, 90 + 20 * camera, (96, 160, 3), dtype=np.uint8)
    boxes: tuple[LabelledBox, ...] = ()
    if species != "NoF":
        x, y = int(rng.integers(0, 90)), int(rng.integers(0, 56))
        pixels[y : y + 40, x : x + 64] = (200, 200, 190)
        if species == "ALB":
            pixels[y : y + 40, x : x + 64 : 8] = 20
            pixels[y : y + 40, x + 1 : x + 64 : 8] = 20
        boxes = (LabelledBox(Box(x, y, x + 64, y + 40), species),)
    file = folder / f"{number}.png"
    Image.fromarray(pixels).save(file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return TrainingSample(os.fsencode(file), sha256, f"camera {camera}", ImageLabel(species, boxes), 160, 96)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crops")


@pytest.fixture(scope="module")
def samples(folder: Path) -> tuple[CropSample, ...]:
    return crop_samples([draw_image(folder, number) for number in range(60)]).samples


def _train(samples: tuple[CropSample, ...], folder: Path, settings: CropTrainSettings) -> TrainedCropClassifier:
    return train_crop_classifier(samples, settings=settings, features_dir=folder / "features", work_dir=folder / "work")


@pytest.fixture(scope="module")
def trained(samples: tuple[CropSample, ...], folder: Path) -> TrainedCropClassifier:
    return _train(samples, folder, SETTINGS)


def test_frozen_features_tell_the_fish_of_a_camera_it_has_not_seen(trained: TrainedCropClassifier) -> None:
    figures = trained.part.metrics

    assert figures["accuracy"] > 0.8 > figures["majority_accuracy"]
    assert figures["log_loss"] < 0.8
    assert trained.part.record.crops_held_out == figures["crops"] > 8


def test_the_saved_bundle_answers_as_it_was_evaluated(
    trained: TrainedCropClassifier, samples: tuple[CropSample, ...], tmp_path: Path
) -> None:
    card = ModelCard("detector", "", "", (64, 96), LABELS.names, (), second_stage=trained.part)
    hashes = save_bundle(tmp_path, "m-1", None, card, crops=trained.model)
    fish = next(sample for sample in samples if sample.species == "ALB" and sample.camera == "camera 3")
    pixels = np.asarray(Image.open(os.fsdecode(fish.file)))

    held = read_card(tmp_path, "m-1").second_stage
    model = load_model_file(check_model_file(tmp_path, "m-1", hashes.sha256, hashes.crops_sha256), "crops.keras")
    crop = letterbox_crop(pixels, fish.box, width_px=160, height_px=96, side_px=64, margin=trained.part.margin)
    answer = crop_distributions(
        model.predict_on_batch(crop[None])["logits"],
        turns=1,
        log_prior_shift=trained.part.log_prior_shift,
        temperature=trained.part.temperature,
    )

    assert held == trained.part
    assert LABELS.names[int(answer[0].argmax())] == "ALB"


def test_a_new_version_may_take_over_files_and_an_altered_second_stage_is_refused(
    trained: TrainedCropClassifier, tmp_path: Path
) -> None:
    card = ModelCard("detector", "", "", (64, 96), LABELS.names, (), second_stage=trained.part)
    first = save_bundle(tmp_path, "m-1", None, card, crops=trained.model)
    again = save_bundle(
        tmp_path, "m-2", HeldModel("m-1", first.sha256), card, crops=HeldModel("m-1", str(first.crops_sha256))
    )
    assert again == first

    file = tmp_path / "m-2" / "crops.keras"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-1] + b"x")

    with pytest.raises(ModelFileError, match=r"crops\.keras: sha256 is .* refused"):
        check_model_file(tmp_path, "m-2", again.sha256, again.crops_sha256)
    with pytest.raises(ModelFileError, match="refused"):
        save_bundle(tmp_path, "m-3", None, card, crops=HeldModel("m-2", str(again.crops_sha256)))
    with pytest.raises(ModelFileError, match="differ on whether there is a second stage"):
        save_bundle(tmp_path, "m-3", None, dataclasses.replace(card, second_stage=None), crops=trained.model)
    assert not (tmp_path / "m-3").exists()


def test_a_second_training_is_the_same_and_cuts_and_computes_nothing_anew(
    trained: TrainedCropClassifier, samples: tuple[CropSample, ...], folder: Path
) -> None:
    calls: list[tuple[str, int, int]] = []

    again = train_crop_classifier(
        samples,
        settings=SETTINGS,
        features_dir=folder / "features",
        work_dir=folder / "work",
        progress=lambda *call: calls.append(call),
    )

    assert {stage for stage, done, total in calls if done < total} == set()
    assert again.part.metrics == trained.part.metrics


def test_rare_species_may_count_more_and_the_prior_is_taken_back(
    samples: tuple[CropSample, ...], folder: Path, trained: TrainedCropClassifier
) -> None:
    part = trained.part
    counts = part.record.crops_by_species
    assert isinstance(counts, dict)

    # The root of balance took half the log of each count away; half of that is given back.
    expected = 0.25 * np.log(counts["ALB"] / counts["NoF"])
    assert part.log_prior_shift[0] - part.log_prior_shift[2] == pytest.approx(expected)
    assert part.log_prior_shift[3] == 0.0  # no shark was seen


def test_an_unreadable_image_is_reported_and_left_out(samples: tuple[CropSample, ...], folder: Path) -> None:
    odd = dataclasses.replace(samples[0], sha256="0" * 64)

    trained = _train((*samples, odd), folder, SETTINGS)

    assert [bad.file for bad in trained.unreadable] == [odd.file]
    assert "changed since it was labelled" in trained.unreadable[0].text


def test_too_few_crops_or_one_species_is_one_clear_line(samples: tuple[CropSample, ...], folder: Path) -> None:
    with pytest.raises(TrainingError, match=r"8 usable crops of . species outside the 1 held-out cameras"):
        _train(tuple(sample for sample in samples if sample.camera != "camera 3")[:8], folder, SETTINGS)
    with pytest.raises(TrainingError, match="of 1 species"):
        _train(tuple(sample for sample in samples if sample.species == "NoF"), folder, SETTINGS)


def test_a_label_outside_the_label_set_is_named(samples: tuple[CropSample, ...], folder: Path) -> None:
    with pytest.raises(UnknownSpecies, match="did you mean SHARK"):
        _train((*samples, dataclasses.replace(samples[0], species="SHRK")), folder, SETTINGS)


def test_one_camera_trains_but_judges_nothing(samples: tuple[CropSample, ...], folder: Path) -> None:
    alone = tuple(dataclasses.replace(sample, camera="only") for sample in samples)

    trained = _train(alone, folder, dataclasses.replace(SETTINGS, held_out=()))

    assert trained.part.metrics == {} and trained.part.temperature == USUAL_TEMPERATURE
    assert trained.part.neighbour_temperature is None
