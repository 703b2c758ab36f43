"""The centre detector's graph: any input size, and the saved model is what was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worker.models.centre_detector import SERVED, build_centre_detector, build_centre_head, build_species_heads
from worker.models.detector import fold_batch_norms
from worker.models.novelty import NOVELTY, with_novelty
from worker.models.trunk_levels import build_trunk_levels, level_layers
from worker.models.trunks import trunk_spec, whole_network

_SPECIES = 3


@pytest.fixture(scope="module")
def detector():
    trunk = build_trunk_levels("efficientnet_lite0", weights="random")
    channels = [int(level.shape[-1]) for level in trunk.outputs]
    deviations = [[2.0] * count for count in channels]
    centre = build_centre_head(channels, deviations)
    heads = build_species_heads(channels, deviations, species=_SPECIES)
    return build_centre_detector(trunk, centre, heads, deviations=deviations)


def _images(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, rows, columns, 3), dtype=np.uint8)


@pytest.mark.parametrize(("rows", "columns"), [(64, 96), (96, 160)])
def test_one_graph_answers_at_every_size(detector, rows: int, columns: int) -> None:
    said = detector(_images(rows, columns), training=False)

    assert sorted(said) == sorted(SERVED)
    assert said["centres"].shape == (2, rows // 8, columns // 8, 1)
    assert said["ltrb_offsets"].shape == (2, rows // 8, columns // 8, 4)
    assert said["heatmap"].shape == (2, rows // 16, columns // 16, _SPECIES)
    assert said["box"].shape == (2, 4)
    np.testing.assert_allclose(np.sum(said["box_species"], axis=1), 1.0, rtol=1e-5)


def test_a_new_detector_expects_no_fish_and_boxes_of_forty_pixels(detector) -> None:
    said = detector(_images(64, 96), training=False)

    assert np.median(said["centres"]) < -2.0
    assert 20.0 < np.median(said["ltrb_offsets"]) < 80.0


def test_folded_and_reloaded_it_says_the_same(detector, tmp_path: Path) -> None:
    from worker.models.keras_import import keras

    detector.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    folded, images = fold_batch_norms(reloaded), _images(64, 96)

    plain, again = detector(images, training=False), folded(images, training=False)

    for name in SERVED:
        np.testing.assert_allclose(np.asarray(plain[name]), np.asarray(again[name]), rtol=1e-3, atol=1e-2)


def test_novelty_is_the_length_of_whitened_pooled_features_also_when_folded(detector) -> None:
    from worker.models.keras_import import keras

    deepest = detector.get_layer("block15_project_bn").output
    depth = int(deepest.shape[-1])
    rng = np.random.default_rng(1)
    mean, whitening = rng.normal(size=depth), rng.normal(size=(depth, depth))
    told = with_novelty(detector, deepest, mean=mean, whitening=whitening)
    images = _images(64, 96)

    pooled = np.asarray(keras.Model(detector.input, deepest)(images)).mean(axis=(1, 2))
    expected = np.sqrt((((pooled - mean) @ whitening) ** 2).mean(axis=1))

    assert sorted(told.output) == sorted([*SERVED, NOVELTY])
    for model in (told, fold_batch_norms(told)):
        np.testing.assert_allclose(np.asarray(model(images)[NOVELTY])[:, 0], expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("efficientnet_lite0", ("block4_add", "block10_add", "block15_project_bn")),
        ("vgg16", ("block4_conv3", "block5_conv3", "block5_pool")),
    ],
)
def test_a_trunk_is_tapped_where_its_blocks_end(name: str, layers: tuple[str, ...]) -> None:
    from worker.models.keras_import import keras

    images = keras.Input((None, None, 3), dtype="uint8")

    assert level_layers(whole_network(trunk_spec(name), images, "random")) == layers
