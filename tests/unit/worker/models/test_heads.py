"""Heads and the detector made of them: shapes, the place of a fish kept, serving the same as training."""

from __future__ import annotations

import numpy as np
import pytest

from db.domain.model_versions import ModelCard
from worker.inference.detector import Detector
from worker.inference.noop_detector import NoopDetector
from worker.models.detector import OUTPUT_NAMES, build_detector
from worker.models.heads import build_head
from worker.models.keras_import import keras
from worker.models.names import HEAD_DESCRIPTIONS, TRUNKS, HeadName
from worker.models.trunks import build_trunk

SPECIES = ("ALB", "BET", "NoF", "YFT")
INPUT_HW = (64, 96)
GRID_HW = (4, 6)  # stride 16
CARD = ModelCard(kind="detector", trunk="efficientnet_lite0", layer="", input_hw=INPUT_HW, species=SPECIES, heads=())


def _head(name: HeadName, channels: int = 112):
    keras.utils.set_random_seed(3)
    return build_head(name, feature_shape=(*GRID_HW, channels), species=len(SPECIES), input_hw=INPUT_HW, sizes=2)


@pytest.fixture(scope="module")
def detector():
    trunk = build_trunk("efficientnet_lite0", input_hw=INPUT_HW)
    return build_detector(trunk, _head(HeadName.BOX_SPECIES), _head(HeadName.HEATMAP_HIRES))


def _images(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, *INPUT_HW, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", list(HeadName))
def test_every_head_gives_a_distribution_over_the_species(name: HeadName) -> None:
    head = _head(name, channels=16)
    features = np.random.default_rng(1).random((2, *GRID_HW, 16), dtype=np.float32)
    inputs = {"features": features, "metadata": np.eye(2, dtype=np.float32)} if len(head.inputs) == 2 else features

    outputs = head.predict_on_batch(inputs)

    distribution = next(value for key, value in outputs.items() if key.endswith("species"))
    assert distribution.shape == (2, len(SPECIES))
    assert distribution.sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize(
    "name", [HeadName.GAP, HeadName.DENSE, HeadName.INCEPTION, HeadName.HEATMAP, HeadName.HEATMAP_MAX]
)
def test_before_it_has_learnt_a_head_says_every_species_alike(name: HeadName) -> None:
    outputs = _head(name, channels=16).predict_on_batch(np.random.default_rng(1).random((2, *GRID_HW, 16)))

    distribution = next(value for key, value in outputs.items() if key.endswith("species"))
    assert distribution == pytest.approx(np.full((2, len(SPECIES)), 1 / len(SPECIES)))


def test_every_head_and_trunk_is_described_in_two_lines() -> None:
    texts = [HEAD_DESCRIPTIONS[name] for name in HeadName] + [spec.description for spec in TRUNKS.values()]

    assert all(len(text.splitlines()) == 2 for text in texts)


def test_the_heat_map_without_pooling_keeps_the_grid_of_the_trunk() -> None:
    assert _head(HeadName.HEATMAP_HIRES).output["heatmap"].shape == (None, *GRID_HW, len(SPECIES))
    assert _head(HeadName.HEATMAP).output["heatmap"].shape == (None, 1, 2, len(SPECIES))  # pooled twice by two


def test_the_box_head_tells_where_a_fish_is() -> None:
    left = np.zeros((1, *GRID_HW, 16), dtype=np.float32)
    left[0, 1, 1] = 1.0
    head = _head(HeadName.BOX_SPECIES, channels=16)

    boxes = [head.predict_on_batch(features)["box"] for features in (left, left[:, :, ::-1])]

    assert np.abs(boxes[0] - boxes[1]).max() > 1e-3


def test_the_first_box_is_the_one_that_an_even_look_fills_in_pixels_of_the_input() -> None:
    head = _head(HeadName.BOX_SPECIES, channels=16)
    looking = head.get_layer("box_map")
    looking.set_weights([np.zeros_like(weight) for weight in looking.get_weights()])

    box = head.predict_on_batch(np.zeros((1, *GRID_HW, 16), dtype=np.float32))["box"]

    # An even look over 96 columns and 64 rows; cell centres spread a little less than the sides: sqrt(1 - 1/n^2).
    half_columns, half_rows = 48 * np.sqrt(1 - 1 / 36), 32 * np.sqrt(1 - 1 / 16)
    wanted = [48 - half_columns, 32 - half_rows, 48 + half_columns, 32 + half_rows]
    assert box[0] == pytest.approx(wanted, abs=0.1)


def test_one_trunk_pass_gives_what_trunk_and_heads_give_apart(detector) -> None:
    trunk, images = build_trunk("efficientnet_lite0", input_hw=INPUT_HW), _images(2)

    outputs = detector.predict_on_batch(images)

    apart = _head(HeadName.BOX_SPECIES).predict_on_batch(trunk.predict_on_batch(images))
    assert set(outputs) == set(OUTPUT_NAMES)
    assert np.allclose(outputs["box"], apart["box"], atol=1e-2)
    assert np.allclose(outputs["box_species"], apart["box_species"], atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 4, 9], ids=["none", "short", "full", "two and a bit"])
def test_serving_gives_the_same_for_any_number_of_images(count: int, detector) -> None:
    images = _images(9)
    expected = detector.predict_on_batch(images)

    found = Detector(CARD, detector, batch_size=4).predict(images[:count])

    assert found.box.shape == (count, 4)
    assert found.heatmap.shape == (count, *GRID_HW, len(SPECIES))
    fish = expected["box_species"][:count].argmax(axis=1) != SPECIES.index("NoF")
    assert np.allclose(found.box, expected["box"][:count] * fish[:, None], atol=0.05)
    assert np.allclose(found.heatmap, expected["heatmap"][:count], atol=1e-3)
    assert np.allclose(found.heatmap_species, expected["heatmap_species"][:count], atol=1e-4)


def test_images_of_another_size_are_refused(detector) -> None:
    with pytest.raises(ValueError, match="wanted"):
        Detector(CARD, detector, batch_size=4).predict(np.zeros((1, 8, 8, 3), dtype=np.uint8))


def test_the_detector_without_a_network_answers_by_the_pixels_alone() -> None:
    noop, images = NoopDetector(CARD), _images(3)
    noop.warm_up()

    first, second = noop.predict(images), noop.predict(images[::-1])

    assert first.heatmap.shape == (3, *GRID_HW, len(SPECIES))
    assert np.array_equal(first.box_species, second.box_species[::-1])
    assert first.box_species.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
