"""Which runtime serves: the setting's, else what this kind of machine chose for the version, else Keras."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.domain.runtimes import Runtime, RuntimeChoice, RuntimeFigures
from db.settings import Settings
from worker.inference.runtimes import choices
from worker.inference.runtimes.choices import chooses_by_itself, keep_choice, machine_kind, read_choice, served_by

CHOICE = RuntimeChoice(
    machine="here",
    runtime=Runtime.OPENVINO_BF16,
    images=46,
    crops=2.0,
    figures=(RuntimeFigures(runtime=Runtime.KERAS, image_ms=47.0, crop_ms=0.0),),
)


def test_without_a_choice_keras_serves(tmp_path: Path) -> None:
    assert served_by(Settings(home=tmp_path), "m-1", "ab" * 32).runtime is Runtime.KERAS


def test_a_choice_serves_its_own_version_and_the_setting_overrides_it(tmp_path: Path) -> None:
    keep_choice(tmp_path, "m-1", CHOICE)

    assert read_choice(tmp_path, "m-1") == CHOICE
    assert served_by(Settings(home=tmp_path), "m-1", "ab" * 32).runtime is Runtime.OPENVINO_BF16
    assert served_by(Settings(home=tmp_path), "m-2", "ab" * 32).runtime is Runtime.KERAS
    overridden = Settings(home=tmp_path, runtime=Runtime.KERAS_BF16)
    assert served_by(overridden, "m-1", "ab" * 32).runtime is Runtime.KERAS_BF16


def test_a_machine_of_another_kind_chooses_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_choice(tmp_path, "m-1", CHOICE)
    here = machine_kind()

    monkeypatch.setattr(choices, "list_cards", lambda: ["NVIDIA H200, 143771 MiB"])

    assert machine_kind() != here
    assert read_choice(tmp_path, "m-1") is None


def test_a_choice_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    file = keep_choice(tmp_path, "m-1", CHOICE)
    file.write_text('{"machine": "here", "runtime": "abacus"}')

    assert read_choice(tmp_path, "m-1") is None


def test_a_runtime_is_chosen_unasked_where_one_is_installed_and_none_was_chosen_or_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Settings(home=tmp_path, choose_runtime=True)
    monkeypatch.setattr(choices, "find_spec", lambda name: object())

    assert chooses_by_itself(wanted, "m-1")
    assert not chooses_by_itself(wanted.model_copy(update={"choose_runtime": False}), "m-1")
    assert not chooses_by_itself(wanted.model_copy(update={"runtime": Runtime.KERAS}), "m-1")
    keep_choice(tmp_path, "m-1", CHOICE)
    assert not chooses_by_itself(wanted, "m-1")
    monkeypatch.setattr(choices, "find_spec", lambda name: None)
    assert not chooses_by_itself(wanted, "m-2")
