"""Each runtime answers as Keras does, within what its precision allows; a failing one falls back to Keras."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from db.domain.model_versions import ModelCard
from db.domain.runtimes import Runtime, RuntimeFigures, RuntimeLimits, fastest_within
from db.session import reading
from db.settings import Settings
from db.tables.predictions import PredictionRow
from tests.factories import finished_job, write_images
from worker.inference import load_networks
from worker.inference.noop_detector import NoopDetector
from worker.inference.runtimes.compile import ServedBy, WithFallback, compile_network
from worker.inference.runtimes.keras_network import KerasNetwork
from worker.inference.runtimes.network import RuntimeMissing
from worker.models.detector import fold_batch_norms
from worker.models.keras_import import keras
from worker.models.trunks import build_trunk

BATCH = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> Any:
    """The first blocks of a trunk with random weights, and two outputs by name."""
    keras.utils.set_random_seed(1)
    trunk = build_trunk("efficientnet_lite0", input_hw=(64, 96), weights="random", layer="block3_project_bn")
    pooled = keras.layers.GlobalAveragePooling2D(name="mean")(trunk.output)
    species = keras.layers.Dense(3, activation="softmax", name="species")(pooled)
    return fold_batch_norms(keras.Model(trunk.input, {"maps": trunk.output, "species": species}))


@pytest.mark.parametrize(
    ("runtime", "largest"), [(Runtime.KERAS_BF16, 0.05), (Runtime.OPENVINO, 1e-3), (Runtime.OPENVINO_BF16, 0.05)]
)
def test_a_runtime_answers_as_keras_does_within_its_precision(
    model: Any, runtime: Runtime, largest: float, tmp_path: Path
) -> None:
    if runtime.needs_openvino:
        pytest.importorskip("openvino")
    expected = KerasNetwork(model)(BATCH)

    network = compile_network(model, runtime, prepared=tmp_path)
    answers = network(BATCH)

    assert network.runtime is runtime
    assert {name: value.shape for name, value in answers.items()} == {n: v.shape for n, v in expected.items()}
    for name, value in answers.items():
        assert np.abs(value - expected[name]).max() <= largest * np.abs(expected[name]).max(), name


def test_a_converted_graph_is_kept_and_read_again(model: Any, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    first = compile_network(model, Runtime.OPENVINO, prepared=tmp_path)(BATCH)
    kept = sorted(file.name for file in tmp_path.iterdir())

    again = compile_network(None, Runtime.OPENVINO, prepared=tmp_path)(BATCH)  # type: ignore[arg-type]  # not needed

    assert kept == ["float-2x64x96x3.bin", "float-2x64x96x3.xml"]
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_int8_is_served_once_it_was_calibrated_on_images(model: Any, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    from worker.inference.runtimes.openvino_network import calibrate_int8

    with pytest.raises(RuntimeMissing, match="cli models optimise"):
        compile_network(model, Runtime.OPENVINO_INT8, prepared=tmp_path)
    calibrate_int8(model, [BATCH, 255 - BATCH], prepared=tmp_path)

    network = compile_network(model, Runtime.OPENVINO_INT8, prepared=tmp_path)

    assert np.abs(network(BATCH)["species"] - KerasNetwork(model)(BATCH)["species"]).max() < 0.1
    assert network.runtime is Runtime.OPENVINO_INT8


class _Broken:
    runtime = Runtime.OPENVINO

    def __call__(self, batch: Any) -> Any:
        raise RuntimeError("unsupported instruction\nand a page of details")


def test_a_runtime_that_fails_falls_back_to_keras_with_one_line(model: Any, caplog: pytest.LogCaptureFixture) -> None:
    network = WithFallback(_Broken(), lambda: KerasNetwork(model))

    with caplog.at_level(logging.WARNING):
        first, second = network(BATCH), network(BATCH)

    assert [record.getMessage() for record in caplog.records if record.name == "taffrail.worker"] == [
        "runtime openvino failed (RuntimeError: unsupported instruction); going on with keras"
    ]
    assert network.runtime is Runtime.KERAS
    assert np.array_equal(first["species"], second["species"])


def test_where_every_other_runtime_loses_too_much_or_fails_keras_serves() -> None:
    figures = (
        RuntimeFigures(runtime=Runtime.KERAS, image_ms=40, crop_ms=5),
        RuntimeFigures(runtime=Runtime.OPENVINO_INT8, image_ms=10, crop_ms=1, log_loss_gained=0.02),
        RuntimeFigures(runtime=Runtime.OPENVINO_BF16, image_ms=20, crop_ms=2, problem="not installed"),
    )

    assert fastest_within(figures, crops=3, limits=RuntimeLimits()) is Runtime.KERAS


def test_a_runtime_with_a_fast_detector_and_slow_crops_loses_where_there_are_many_crops() -> None:
    figures = (
        RuntimeFigures(runtime=Runtime.KERAS, image_ms=40, crop_ms=2),
        RuntimeFigures(runtime=Runtime.KERAS_BF16, image_ms=30, crop_ms=9),
    )

    assert fastest_within(figures, crops=0.5, limits=RuntimeLimits()) is Runtime.KERAS_BF16
    assert fastest_within(figures, crops=5, limits=RuntimeLimits()) is Runtime.KERAS


def test_a_worker_whose_runtime_is_not_there_goes_on_with_keras_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(card: Any, path: Path, *, batch_size: int, served: ServedBy) -> Any:
        if served.runtime is not Runtime.KERAS:
            raise RuntimeMissing(f"runtime {served.runtime}: openvino is not installed; install the extra openvino")
        return NoopDetector(card)

    monkeypatch.setattr(load_networks, "make_detector", missing)
    card = ModelCard("noop", "", "", (64, 96), ("ALB", "NoF"), ())
    served = ServedBy(Runtime.OPENVINO, tmp_path)

    with caplog.at_level(logging.WARNING, logger="taffrail.worker"):
        detector, classifier = load_networks._networks(card, tmp_path, Settings(home=tmp_path), served)

    assert (detector.runtime, classifier) == (Runtime.KERAS, None)
    assert [record.getMessage() for record in caplog.records] == [
        "runtime openvino: openvino is not installed; install the extra openvino; going on with keras"
    ]


def test_each_prediction_tells_its_runtime(engine: Engine, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 2)
    finished_job(engine, tmp_path / "home", tmp_path / "images")

    with reading(engine) as session:
        assert session.scalars(select(PredictionRow.runtime)).all() == ["keras", "keras"]
