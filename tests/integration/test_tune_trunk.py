"""The whole detector is tuned, trunk and all, and goes on where it was stopped."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet
from worker.models.centre_detector import build_centre_head, build_species_heads
from worker.training.data.samples import TrainingSample
from worker.training.detector.camera_sizes import camera_fish_sizes
from worker.training.detector.centre_fit import CentreFit
from worker.training.detector.draw_batches import BatchSource
from worker.training.detector.fit_centre import CentreHeads
from worker.training.detector.held_images import HeldImages
from worker.training.detector.tune_trunk import KeptPlace, tune_trunk

_LABELS, _HW = LabelSet(("ALB", "NoF")), (64, 96)


class _Killed(Exception):
    """As if the process had been killed."""


def _sample(folder: Path, camera: int, number: int) -> TrainingSample:
    rng = np.random.default_rng([camera, number])
    file = folder / f"{camera}-{number}.png"
    Image.fromarray(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)).save(file)
    x, y = (int(one) for one in rng.integers(5, 40, 2))
    label = ImageLabel("ALB", (LabelledBox(Box(x, y, x + 30, y + 16), "ALB"),))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return TrainingSample(str(file).encode(), digest, f"boat {camera}", label, 96, 64)


@pytest.fixture
def source(tmp_path: Path) -> BatchSource:
    samples = [_sample(tmp_path, camera, number) for camera in range(2) for number in range(4)]
    fish_px = camera_fish_sizes(samples)
    images = HeldImages(samples, _HW, fish_px)
    images.read_all()
    rows = np.arange(len(samples), dtype=np.int64)
    return BatchSource(samples, images, rows, fish_px, _LABELS, _HW, batch_size=4, seed=0)


def _small_trunk() -> Any:
    """Three convolutions, with a batch norm; frozen, as trunks come."""
    from worker.models.keras_import import keras

    layers = keras.layers
    inputs = keras.Input((None, None, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 128, offset=-1.0, name="preprocess")(inputs)
    levels = []
    for place, stride in enumerate((8, 2, 2)):
        x = layers.Conv2D(8, stride, strides=stride, activation="relu", name=f"block{place}_conv")(x)
        x = layers.BatchNormalization(name=f"block{place}_bn")(x)
        levels.append(x)
    trunk = keras.Model(inputs, levels, name="trunk_levels")
    trunk.trainable = False
    return trunk


def _fresh() -> tuple[Any, CentreHeads]:
    """A trunk and heads as they come: the same weights each time."""
    from worker.models.keras_import import keras

    keras.utils.set_random_seed(0)
    trunk = _small_trunk()
    channels = [int(level.shape[-1]) for level in trunk.outputs]
    even = tuple((1.0,) * count for count in channels)
    centre, species = build_centre_head(channels, even), build_species_heads(channels, even, species=2)
    return trunk, CentreHeads(centre, species, even, 0, (), 0.0)


def test_a_stopped_tuning_goes_on_and_the_trunk_has_learnt(
    source: BatchSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.training.detector.tune_trunk._KEPT_STEPS", 2)
    trunk, heads = _fresh()
    how = {
        "fit": CentreFit(min_steps=4, max_steps=4),
        "species_weights": np.ones(2, dtype=np.float32),
        "work_dir": tmp_path / "work",
    }

    def killing(done: int, total: int) -> None:
        if done == 3:
            raise _Killed

    with pytest.raises(_Killed):
        tune_trunk(source, trunk, heads, progress=killing, **how)
    assert len(list((tmp_path / "work").iterdir())) == 1
    again, same_heads = _fresh()
    before = [np.array(one) for one in again.get_weights()]

    model, begun = tune_trunk(source, again, same_heads, **how)

    assert begun == 2 and list((tmp_path / "work").iterdir()) == []
    assert set(model.output) == {"box", "box_species", "heatmap", "heatmap_species", "centres", "ltrb_offsets"}
    changed = [not np.array_equal(old, new) for old, new in zip(before, again.get_weights(), strict=True)]
    norms = [one.name for one in again.layers if "bn" in one.name]
    assert any(changed) and norms
    for name in norms:
        gamma, beta, mean, variance = again.get_layer(name).get_weights()
        assert not mean.any() and (variance == 1.0).all() and (gamma == 1.0).all() and not beta.any()


def test_a_torn_place_is_the_beginning(tmp_path: Path) -> None:
    place = KeptPlace(tmp_path / "torn.npz")
    place.file.write_bytes(b"torn")

    assert place.restore(model=None) == 0
