"""Every head is trained by its name on cached features, and evaluated on images that had no part in it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from db.domain.labels import ImageLabel
from tests.drawn_fish import LABELS, draw_fleet
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.training.data.samples import TrainingSample
from worker.training.detector.fit import FitSettings
from worker.training.detector.train_head import image_sizes, size_one_hot, spare_stopping_rows, train_head
from worker.training.features.compute import Features, compute_features

INPUT_HW = (64, 96)
FIT = FitSettings(epochs=6, min_steps=0, batch_size=8, learning_rate=4e-3)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSample]:
    return draw_fleet(tmp_path_factory.mktemp("fleet"), 60)


@pytest.fixture(scope="module")
def features(samples: list[TrainingSample], tmp_path_factory: pytest.TempPathFactory) -> Features:
    return compute_features(
        samples,
        trunk="efficientnet_lite0",
        weights="imagenet",
        input_hw=INPUT_HW,
        features_dir=tmp_path_factory.mktemp("features"),
    ).features


def _train(name: HeadName, samples: list[TrainingSample], features: Features, fit: FitSettings = FIT):
    held = np.array([sample.camera == "camera 3" for sample in samples])
    return train_head(
        name,
        samples,
        features,
        train_rows=np.flatnonzero(~held),
        held_out_rows=np.flatnonzero(held),
        label_set=LABELS,
        input_hw=INPUT_HW,
        fit=fit,
    )


@pytest.mark.parametrize("name", list(HeadName))
def test_every_head_learns_from_cached_features(
    name: HeadName, samples: list[TrainingSample], features: Features
) -> None:
    trained = _train(name, samples, features)

    truth = [LABELS.index(sample.label.species) for sample in samples if sample.camera == "camera 3"]
    assert trained.species.shape == (len(truth), len(LABELS))
    assert np.mean(trained.species.argmax(axis=1) == truth) >= 0.6  # a guess gives 0.33


def test_a_head_learns_from_the_views_of_an_image_and_not_from_the_image_itself(
    samples: list[TrainingSample], features: Features
) -> None:
    """Each image's only view shows the same pixels and is called the next species: so must the answers be."""
    seen = sorted({sample.label.species for sample in samples})
    next_species = dict(zip(seen, [*seen[1:], seen[0]], strict=True))
    views = [dataclasses.replace(one, label=ImageLabel(next_species[one.label.species])) for one in samples]
    held = np.array([sample.camera == "camera 3" for sample in samples])

    trained = train_head(
        HeadName.GAP,
        [*samples, *views],
        features,
        train_rows=np.flatnonzero(~held),
        held_out_rows=np.flatnonzero(held),
        label_set=LABELS,
        input_hw=INPUT_HW,
        fit=FIT,
        epochs=12,
        views=np.arange(len(samples))[:, None] + len(samples),
    )

    called = [LABELS.names[place] for place in trained.species.argmax(axis=1)]
    truth = [sample.label.species for sample in samples if sample.camera == "camera 3"]
    assert np.mean([name == next_species[true] for name, true in zip(called, truth, strict=True)]) >= 0.6
    assert np.mean([name == true for name, true in zip(called, truth, strict=True)]) <= 0.3


def test_the_held_out_images_have_no_part_in_the_training(samples: list[TrainingSample], features: Features) -> None:
    lies = [
        dataclasses.replace(sample, label=ImageLabel("SHARK")) if sample.camera == "camera 3" else sample
        for sample in samples
    ]
    short = dataclasses.replace(FIT, epochs=2)

    first, second = (_train(HeadName.GAP, told, features, short) for told in (samples, lies))

    assert all(np.array_equal(a, b) for a, b in zip(first.head.get_weights(), second.head.get_weights(), strict=True))


def test_whole_cameras_of_the_training_images_tell_when_to_stop(samples: list[TrainingSample]) -> None:
    spread = [
        dataclasses.replace(sample, camera=f"camera {number % 24}", guessed=number % 5 == 0)
        for number, sample in enumerate(samples)
    ]
    train_rows = np.arange(48)

    learn, stop = spare_stopping_rows(spread, train_rows, seed=0)

    assert 0 < len(stop) < 24 < len(learn)
    assert {spread[row].camera for row in stop}.isdisjoint({spread[row].camera for row in learn})
    assert not any(spread[row].guessed for row in stop)  # a model's guess tells nothing


@pytest.mark.parametrize("cameras", [4, 8])
def test_so_few_cameras_cannot_tell_when_to_stop(samples: list[TrainingSample], cameras: int) -> None:
    spread = [dataclasses.replace(sample, camera=f"camera {number % cameras}") for number, sample in enumerate(samples)]

    learn, stop = spare_stopping_rows(spread, np.arange(48), seed=0)

    assert len(learn) == 48 and not len(stop)


def test_a_size_that_training_never_saw_has_no_place_in_the_metadata(samples: list[TrainingSample]) -> None:
    wide = dataclasses.replace(samples[1], width_px=400)
    odd = dataclasses.replace(samples[2], width_px=401)

    sizes = image_sizes([samples[0], wide, odd], np.array([0, 1]))

    assert sizes == ((192, 128), (400, 128))
    assert size_one_hot([samples[0], wide, odd], sizes).tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_no_images_to_train_on_is_one_clear_error(samples: list[TrainingSample], features: Features) -> None:
    nobody = [dataclasses.replace(sample, camera="camera 3") for sample in samples]

    with pytest.raises(TrainingError, match="no images to train on"):
        _train(HeadName.GAP, nobody, features)
