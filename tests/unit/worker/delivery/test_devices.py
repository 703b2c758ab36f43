"""Each worker process gets a card of its own."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from worker.delivery.devices import card_ids, environment_for, list_cards


def test_the_cards_are_asked_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf 'H100, 81559 MiB\\nH100, 81559 MiB\\n'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    cards = list_cards()

    assert cards == ["H100, 81559 MiB"] * 2


def test_a_machine_without_a_driver_has_no_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert list_cards() == []
    assert environment_for(0, card_ids({}, [])) == {}


def test_more_processes_than_cards_share_them_in_turn() -> None:
    given = [environment_for(place, ["0", "1"])["CUDA_VISIBLE_DEVICES"] for place in range(4)]

    assert given == ["0", "1", "0", "1"]


def test_only_allowed_cards_are_used_and_an_empty_allowance_means_none() -> None:
    assert card_ids({"CUDA_VISIBLE_DEVICES": "1"}, ["a", "b"]) == ["1"]
    assert card_ids({"CUDA_VISIBLE_DEVICES": ""}, ["a", "b"]) == []
