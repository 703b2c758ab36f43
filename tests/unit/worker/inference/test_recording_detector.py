"""By kept features a detector says, bit for bit, what it says of new ones; a new head finds them."""

from __future__ import annotations

import importlib.util
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.domain.model_versions import ModelCard
from db.domain.runtimes import Runtime
from worker.inference.detector import Detector
from worker.inference.raw_outputs import RawOutputs
from worker.inference.recording_detector import RecordingDetector
from worker.inference.runtimes.compile import ServedBy
from worker.models.centre_detector import build_centre_detector, build_centre_head, build_species_heads
from worker.models.detector import build_detector
from worker.models.errors import UnknownNetwork
from worker.models.heads import build_head
from worker.models.keras_import import keras
from worker.models.names import DetectorKind, HeadName
from worker.models.trunk_levels import build_trunk_levels
from worker.models.trunks import build_trunk

SPECIES = ("ALB", "BET", "NoF", "YFT")
HW = (64, 96)


def _card(kind: DetectorKind) -> ModelCard:
    return ModelCard(kind=kind, trunk="efficientnet_lite0", layer="", input_hw=HW, species=SPECIES, heads=())


@cache
def _centre(seed: int) -> Any:
    trunk = build_trunk_levels("efficientnet_lite0")
    channels = [level.shape[-1] for level in trunk.outputs]
    deviations = [[1.0] * count for count in channels]
    keras.utils.set_random_seed(seed)
    heads = build_centre_head(channels, deviations), build_species_heads(channels, deviations, species=len(SPECIES))
    deepest = channels[-1]
    novelty = np.zeros(deepest), np.eye(deepest)
    return build_centre_detector(trunk, *heads, deviations=deviations, novelty=novelty)


@cache
def _lesson(seed: int) -> Any:
    keras.utils.set_random_seed(seed)
    given = {"feature_shape": (4, 6, 112), "species": len(SPECIES), "input_hw": HW}
    heads = build_head(HeadName.BOX_SPECIES, **given), build_head(HeadName.HEATMAP_HIRES, **given)
    return build_detector(build_trunk("efficientnet_lite0", input_hw=HW), *heads)


MODELS = {DetectorKind.CENTRE: _centre, DetectorKind.LESSON: _lesson}
RUNTIMES = [Runtime.KERAS, Runtime.OPENVINO_BF16] if importlib.util.find_spec("openvino") else [Runtime.KERAS]


def _images(count: int, hw: tuple[int, int] = HW) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, *hw, 3), dtype=np.uint8)


def _same(one: RawOutputs, other: RawOutputs) -> bool:
    names = [field.name for field in fields(RawOutputs) if field.name != "features"]
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    assert any(a is not None for a, _ in pairs)
    return all((a is None and b is None) or np.array_equal(a, b) for a, b in pairs)


def _alike(one: RawOutputs, other: RawOutputs) -> bool:
    """Whether boxes differ by less than a thousandth of a pixel, probabilities by less than a millionth."""
    assert one.ltrb_offsets is not None and other.ltrb_offsets is not None
    pairs = ((one.box, other.box, 1e-3), (one.ltrb_offsets, other.ltrb_offsets, 1e-3))
    species = ((one.box_species, other.box_species, 1e-6), (one.heatmap_species, other.heatmap_species, 1e-6))
    return all(np.abs(a - b).max() < near for a, b, near in (*pairs, *species))


@pytest.mark.parametrize(
    ("kind", "runtime"),
    [(DetectorKind.LESSON, Runtime.KERAS), *((DetectorKind.CENTRE, runtime) for runtime in RUNTIMES)],
)
def test_answers_from_features_are_those_from_images(kind: DetectorKind, runtime: Runtime, tmp_path: Path) -> None:
    model, served, images = MODELS[kind](1), ServedBy(runtime, tmp_path), _images(5)
    recording = RecordingDetector(_card(kind), model, batch_size=3, served=served)
    plain = Detector(_card(kind), model, batch_size=3, served=served).predict(images)

    seen = recording.see(images)
    assert seen.features is not None
    again = recording.answer(seen.features[::-1], HW)

    assert recording.runtime is runtime
    assert all(_same(again.row(row), seen.row(4 - row)) for row in range(5))
    assert _same(recording.predict(images), seen)
    assert _same(seen, plain) if runtime is Runtime.KERAS else _alike(seen, plain)


def test_small_inputs_are_seen_mirrored_by_features_too() -> None:
    card, images = _card(DetectorKind.CENTRE), _images(2, (32, 64))
    recording = RecordingDetector(card, _centre(1), batch_size=2)

    seen = recording.see(images)

    assert seen.features is not None and len(seen.features[0]) == 2
    assert _same(recording.answer(seen.features, (32, 64)), Detector(card, _centre(1), batch_size=2).predict(images))


def test_a_new_head_of_the_same_trunk_finds_the_features_and_another_trunk_does_not() -> None:
    card = _card(DetectorKind.CENTRE)
    old, new = RecordingDetector(card, _centre(1)), RecordingDetector(card, _centre(2))
    tuned = keras.models.clone_model(_centre(1))
    tuned.set_weights(_centre(1).get_weights())
    stem = tuned.get_layer("stem_conv")
    stem.set_weights([weight * 1.001 for weight in stem.get_weights()])

    features = old.see(_images(2)).features

    assert features is not None
    assert old.key(HW) == new.key(HW) != old.key((32, 64))
    assert RecordingDetector(card, tuned).key(HW) != old.key(HW)
    assert _same(new.answer(features, HW), new.see(_images(2)))
    assert not _same(new.answer(features, HW), old.see(_images(2)))


def test_a_graph_without_the_trunks_known_end_is_told() -> None:
    with pytest.raises(UnknownNetwork, match="whose trunk has no known end"):
        RecordingDetector(_card(DetectorKind.CENTRE), _lesson(1))
