"""A runtime is chosen unasked: within its time, and not at all where nothing can be compared."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from db.domain.runtimes import Runtime, RuntimeFigures
from db.errors import NotFoundError
from db.progress import no_stage_progress
from db.settings import Settings
from worker.inference.runtimes import choices
from worker.inference.runtimes.compile import ServedBy
from worker.steps import optimise as step
from worker.steps.requests import OptimiseRequest

MS = {Runtime.KERAS: 40.0, Runtime.OPENVINO_BF16: 20.0, Runtime.OPENVINO: 38.0}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(home=tmp_path, choose_runtime=True)
    monkeypatch.setattr(step, "get_settings", lambda: settings)
    monkeypatch.setattr(choices, "find_spec", lambda name: object())
    return settings


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Runtime]:
    """Let runtimes cost what MS says; the runtimes that were measured."""
    begun: list[Runtime] = []

    def measure(version: object, served: ServedBy, *rest: object) -> tuple[RuntimeFigures, object]:
        begun.append(served.runtime)
        return RuntimeFigures(runtime=served.runtime, image_ms=MS[served.runtime], crop_ms=0), SimpleNamespace(
            crops=0.0
        )

    model = SimpleNamespace(model_id="m-1", sha256="ab" * 32)
    version = SimpleNamespace(model=model, sides=SimpleNamespace(unseen=[object()] * 9))
    monkeypatch.setattr(step, "_load", lambda *asked, **also: version)
    monkeypatch.setattr(step, "_measure", measure)
    return begun


def test_the_fastest_is_kept_for_this_kind_of_machine(settings: Settings, measured: list[Runtime]) -> None:
    chosen = step.choose_at_once("m-1", settings, no_stage_progress)

    assert chosen is not None and chosen.runtime is Runtime.OPENVINO_BF16
    assert measured == [Runtime.KERAS, Runtime.OPENVINO_BF16, Runtime.OPENVINO]
    [file] = (settings.home / "runtimes" / "m-1").iterdir()
    assert json.loads(file.read_text())["images"] == 9
    assert step.choose_at_once("m-1", settings, no_stage_progress) is None  # it is chosen


def test_after_its_time_no_other_runtime_is_begun(settings: Settings, measured: list[Runtime]) -> None:
    request = OptimiseRequest.at_once("m-1").model_copy(update={"within_s": 0.0})

    assert step.optimise(request, no_stage_progress).choice.runtime is Runtime.KERAS
    assert measured == [Runtime.KERAS]


def test_without_held_out_images_keras_serves_and_one_line_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nothing(*asked: object, **also: object) -> None:
        raise NotFoundError("no image is of a held-out camera")

    monkeypatch.setattr(step, "_load", nothing)

    with caplog.at_level(logging.WARNING):
        assert step.choose_at_once("m-1", settings, no_stage_progress) is None

    assert "model m-1: no runtime is chosen: no image is of a held-out camera" in caplog.text
