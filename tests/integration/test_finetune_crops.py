"""Fine-tuning the second stage: it learns, says how long it takes, and a killed run goes on where it was."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.test_train_crop_classifier import SETTINGS, draw_image
from worker.models.errors import TrainingError
from worker.models.names import CropMethod
from worker.models.trunks import build_trunk
from worker.training.crops.samples import CropSample, crop_samples
from worker.training.crops.train import TrainedCropClassifier, train_crop_classifier

TUNED = dataclasses.replace(
    SETTINGS,
    method=CropMethod.FINETUNE,
    views=1,
    members=1,
    epochs=2,
    min_steps=0,
    kept_steps=1,
    batch_size=8,
    learning_rate=1e-3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuned")


@pytest.fixture(scope="module")
def samples(folder: Path) -> tuple[CropSample, ...]:
    return crop_samples([draw_image(folder, number) for number in range(24)]).samples


def _train(samples: tuple[CropSample, ...], folder: Path, work_dir: Path, calls: list[tuple[str, int, int]]):
    return train_crop_classifier(
        samples,
        settings=TUNED,
        features_dir=folder / "features",
        work_dir=work_dir,
        progress=lambda *call: calls.append(call),
    )


@pytest.fixture(scope="module")
def whole(samples: tuple[CropSample, ...], folder: Path) -> tuple[TrainedCropClassifier, list[tuple[str, int, int]]]:
    calls: list[tuple[str, int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        use_trunk(shallow_trunk, patch.setattr)
        return _train(samples, folder, folder / "work", calls), calls


def test_it_learns_and_says_beforehand_how_long_it_takes(whole) -> None:
    trained, calls = whole

    tuning = [call for call in calls if call[0].startswith("fine-tune")]
    assert trained.part.metrics["accuracy"] > trained.part.metrics["majority_accuracy"]
    assert trained.part.method == "finetune"
    assert tuning[-1][1] == tuning[-1][2]
    assert "about" in tuning[-1][0] and "about" not in tuning[1][0]


def test_a_run_killed_after_an_epoch_ends_as_if_it_had_not_been(
    samples: tuple[CropSample, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_trunk(small_trunk, monkeypatch.setattr)
    small, work_dir = folder / "small", folder / "killed"
    whole = _train(samples, small, folder / "whole", [])
    code = _RUN_UNTIL_KILLED.format(folder=str(folder), small=str(small), work_dir=str(work_dir))
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert [file.name for file in work_dir.glob("*/epoch-*.keras")] == ["epoch-0001.keras"]

    resumed = _train(samples, small, work_dir, [])

    assert resumed.part.record.resumed_at_epoch == 1
    # Not to the bit: threads add in any order.
    apart = _distance(resumed.model, whole.model)
    assert apart < 0.05 * _distance(whole.model, small_trunk("", crop_px=64))
    assert list(work_dir.iterdir()) == []  # what was kept for a resumption is gone


@pytest.mark.parametrize(("few_crops", "members"), [(0, 2), (10_000, 1)], ids=["many crops", "few crops"])
def test_where_few_cameras_are_held_out_others_are_answered_by_networks_that_have_not_seen_them(
    samples: tuple[CropSample, ...], folder: Path, monkeypatch: pytest.MonkeyPatch, few_crops: int, members: int
) -> None:
    use_trunk(small_trunk, monkeypatch.setattr)
    monkeypatch.setattr("worker.training.crops.networks._FEW_CROPS", few_crops)
    calls: list[tuple[str, int, int]] = []

    trained = train_crop_classifier(
        samples,
        settings=dataclasses.replace(TUNED, members=2, epochs=1),
        features_dir=folder / "small",
        work_dir=folder / "members",
        progress=lambda *call: calls.append(call),
    )

    told = trained.part.record
    assert (told.members, told.cross_fits) == (members, 2)
    assert 0 < told.crops_calibrated_by < told.crops  # two of three parts
    stages = {call[0].split(",")[0] for call in calls if call[0].startswith("fine-tune")}
    assert stages == {f"fine-tune {number + 1} of {2 + members}" for number in range(2 + members)}
    assert list((folder / "members").iterdir()) == []  # what was kept for a resumption is gone


def small_trunk(name: str, *, crop_px: int, weights: str | Path = "imagenet") -> Any:
    """Two convolutions, always the same: what is kept and resumed does not depend on the trunk, its tracing does."""
    from worker.models.keras_import import keras

    layers, seeds = keras.layers, iter((1, 2))
    inputs = x = keras.Input((crop_px, crop_px, 3), dtype="uint8")
    x = layers.Rescaling(1 / 128, offset=-1.0, name="preprocess")(x)
    for place in ("first", "second"):
        start = keras.initializers.GlorotUniform(next(seeds))
        x = layers.Conv2D(16, 5, strides=4, activation="relu", kernel_initializer=start, name=f"{place}_conv")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="crop_mean")(x))


def shallow_trunk(name: str, *, crop_px: int, weights: str | Path = "imagenet") -> Any:
    """The real trunk's first three blocks: what they know tells stripes, and their gradients are traced in a second."""
    from worker.models.keras_import import keras

    trunk = build_trunk(name, input_hw=(crop_px, crop_px), weights=weights, layer="block3_project_bn")
    return keras.Model(trunk.input, keras.layers.GlobalAveragePooling2D(name="crop_mean")(trunk.output))


def use_trunk(build: Callable[..., Any], replace: Callable[[str, object], None]) -> None:
    """Let the second stage be trained on another trunk. replace: sets a name in a module."""
    for module in ("features", "finetune"):
        replace(f"worker.training.crops.{module}.build_pooled_trunk", build)


def test_a_damaged_place_is_passed_over(samples: tuple[CropSample, ...], folder: Path) -> None:
    from worker.training.crops.finetune import Checkpoint

    (folder / "torn" / "crops-x").mkdir(parents=True)
    (folder / "torn" / "crops-x" / "epoch-0002.keras").write_bytes(b"torn")

    assert Checkpoint(folder / "torn", "x").last() == (None, 0)


def test_a_place_that_cannot_be_kept_is_one_clear_line(folder: Path) -> None:
    from worker.training.crops.finetune import Checkpoint

    class Unsaveable:
        def save(self, file: Path) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match=r"cannot be written \(No space left on device\)"):
        Checkpoint(folder / "full", "x").keep(Unsaveable(), 1)


def _distance(model, other) -> float:
    """How far two models' convolutions' kernels lie apart, all together."""
    names = [layer.name for layer in other.layers if layer.name.endswith("_conv")]
    pairs = [(model.get_layer(name).get_weights()[0], other.get_layer(name).get_weights()[0]) for name in names]
    return float(np.sqrt(sum(((ours - theirs) ** 2).sum() for ours, theirs in pairs)))


_RUN_UNTIL_KILLED = """
import os, signal
from pathlib import Path
from pytest import MonkeyPatch
from tests.integration.test_finetune_crops import TUNED, small_trunk, use_trunk
from tests.integration.test_train_crop_classifier import draw_image
from worker.training.crops.samples import crop_samples
from worker.training.crops.train import train_crop_classifier

folder, small, work_dir = Path({folder!r}), Path({small!r}), Path({work_dir!r})
use_trunk(small_trunk, MonkeyPatch().setattr)
samples = crop_samples([draw_image(folder, number) for number in range(24)]).samples

def killed(stage, done, total):
    if stage.startswith("fine-tune") and done > total / 2 + 1:
        os.kill(os.getpid(), signal.SIGKILL)

train_crop_classifier(samples, settings=TUNED, features_dir=small / "features", work_dir=work_dir, progress=killed)
"""
