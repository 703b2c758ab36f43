"""The import contract of a command's start sees imports that run, and not those that wait in a function."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.command_start import first_chain


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "boat"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "boat"]:
        del sys.modules[name]


def test_an_import_at_the_top_of_a_module_two_steps_away_breaks_it(package: Path) -> None:
    (package / "main.py").write_text("from boat import deck\n")
    (package / "deck.py").write_text("try:\n    import keras.ops\nexcept ImportError:\n    pass\n")

    assert first_chain(["boat.main"], ["keras"], {"boat"}) == ["boat.main", "boat.deck", "keras.ops"]


def test_an_import_that_waits_in_a_function_or_for_a_type_checker_keeps_it(package: Path) -> None:
    (package / "main.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import keras\n\ndef run():\n    import keras\n"
    )

    assert first_chain(["boat.main"], ["keras"], {"boat"}) is None
