"""The option --runtime: what it takes, and what becomes of it in worker processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from cli.shared.runtimes import with_runtime
from db.domain.runtimes import Runtime
from db.settings import Settings, environment_of


def test_a_worker_process_is_told_the_runtime(tmp_path: Path) -> None:
    settings = with_runtime(Settings(home=tmp_path), "keras-bf16")

    assert settings.runtime is Runtime.KERAS_BF16
    assert environment_of(settings)["TAFFRAIL_RUNTIME"] == "keras-bf16"


def test_without_the_option_nothing_is_told(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)

    assert with_runtime(settings, None) is settings
    assert "TAFFRAIL_RUNTIME" not in environment_of(settings)


def test_an_unknown_runtime_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"--runtime 'tpu': wanted keras, keras-bf16"):
        with_runtime(Settings(home=tmp_path), "tpu")


def test_a_runtime_that_is_not_installed_is_refused_before_a_worker_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(typer.BadParameter, match=r"taffrail-fish\[openvino\]"):
        with_runtime(Settings(home=tmp_path), "openvino")
