"""A model file that would unpack to far more than it holds is refused before anything unpacks it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from worker.models.errors import ModelFileError, WeightsError
from worker.models.torch_weights import read_torch_weights
from worker.models.unpacked_size import check_unpacked_size


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="unpacks to 67108864 bytes"):
        check_unpacked_size(_bomb(tmp_path / "model.keras"))


def test_a_bomb_of_pytorch_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="unpacks to"):
        read_torch_weights(_bomb(tmp_path / "weights.pth"))


def test_figures_that_are_stored_as_they_are_pass(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model.weights.h5", bytes(32 * 2**20))

    check_unpacked_size(file)


def test_what_is_no_zip_is_the_readers_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"")

    check_unpacked_size(tmp_path / "model.keras")


def _bomb(file: Path) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(64 * 2**20))
    return file
