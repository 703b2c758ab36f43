"""A tuned network with a frozen one beside it: saved, loaded and served, both are heard as the card says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from db.domain.model_versions import ModelCard
from tests.integration.test_finetune_crops import small_trunk
from tests.integration.test_second_stage import PART, SPECIES
from worker.inference.second_stage import CropClassifier
from worker.models.crop_classifier import (
    EMBEDDING,
    LOGITS,
    FrozenShare,
    build_crop_classifier,
    build_served,
    set_logits,
)
from worker.models.trunks import build_trunk
from worker.storage.model_files import load_model_file, save_bundle

CROPS = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def _weights(channels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (channels, len(SPECIES))).astype(np.float32), rng.normal(0, 1, len(SPECIES)).astype("f4")


def _pooled(trunk, weights: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.asarray(trunk.predict_on_batch(CROPS)) @ weights[0] + weights[1]


def test_both_networks_are_heard_over_their_temperatures_also_after_saving(tmp_path: Path) -> None:
    from worker.models.keras_import import keras

    deep = build_trunk("efficientnet_lite0", input_hw=(64, 64), weights="random", layer="block2_add")
    beside = keras.Model(deep.input, keras.layers.GlobalAveragePooling2D()(deep.output))
    tuned, frozen = _weights(16, 2), _weights(beside.output_shape[-1], 3)
    trunk = small_trunk("", crop_px=64)
    expected = _pooled(trunk, tuned) / 2.0 + _pooled(beside, frozen) / 4.0
    classifier = build_crop_classifier(trunk, species=len(SPECIES))
    set_logits(classifier, *tuned)
    mean, directions = np.full(16, 0.5, np.float32), np.eye(16, 4, dtype=np.float32)

    served = build_served(
        classifier,
        mean=mean,
        directions=directions,
        frozen=FrozenShare(beside, *frozen, temperature=4.0, tuned_temperature=2.0),
    )
    card = ModelCard("detector", "", "", (64, 96), SPECIES, (), second_stage=PART)
    save_bundle(tmp_path, "m-1", None, card, crops=served)
    loaded = load_model_file(tmp_path / "m-1", "crops.keras")

    said = loaded.predict_on_batch(CROPS)
    assert np.asarray(said[LOGITS]) == pytest.approx(expected, abs=1e-3)
    pooled = np.asarray(trunk.predict_on_batch(CROPS))
    assert np.asarray(said[EMBEDDING]) == pytest.approx(pooled[:, :4] - 0.5, abs=1e-4)
    in_worker = CropClassifier(dataclasses.replace(PART, neighbour_temperature=1.0), loaded)
    assert in_worker.answers(CROPS)[0] == pytest.approx(expected, abs=1e-3)
