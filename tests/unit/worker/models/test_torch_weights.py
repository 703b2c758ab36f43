"""The restricted reader of PyTorch weights: what it reads, and what it refuses to run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from worker.models.efficientnet_lite import packaged_weights_file
from worker.models.errors import WeightsError
from worker.models.torch_weights import read_torch_weights


class _Global:
    """Pickles as a call of any global; the names need not exist here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Storage:
    def __init__(self, key: str, count: int, kind: str = "FloatStorage") -> None:
        self.key, self.count, self.kind = key, count, kind


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())


class _TorchLike(pickle._Pickler):  # type: ignore[name-defined]
    """Writes the same opcodes as torch.save, without torch."""

    def save(self, value: object, save_persistent_id: bool = True) -> None:
        if isinstance(value, _Global):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, _Tensor):
            self.save(_Global("torch._utils", "_rebuild_tensor_v2"))
            self.save(value.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(value, _Storage):
            self.save(("storage", _Global("torch", value.kind), value.key, "cpu", value.count))
            self.write(pickle.BINPERSID)
        else:
            super().save(value, save_persistent_id)


def _pickled(value: object) -> bytes:
    stream = io.BytesIO()
    _TorchLike(stream, 2).dump(value)
    return stream.getvalue()


def _write_zip(file: Path, state: object, storages: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("weights/data.pkl", _pickled(state))
        for key, raw in storages.items():
            archive.writestr(f"weights/data/{key}", raw)


def _write_legacy(file: Path, state: object, storages: dict[str, bytes]) -> None:
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 4}}
    parts = [_pickled(part) for part in (0x1950A86A20F9469CFC6C, 1001, machine, state, list(storages))]
    parts += [struct.pack("<q", len(raw) // 4) + raw for raw in storages.values()]
    file.write_bytes(b"".join(parts))


SIX = np.arange(6, dtype="<f4")
TURNED = _Tensor(_Storage("7", 6), 0, (3, 2), (1, 3))  # a (2, 3) matrix seen transposed


@pytest.mark.parametrize("write", [_write_zip, _write_legacy])
def test_a_transposed_view_of_a_storage_is_read_with_its_strides(write, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    write(file, OrderedDict({"layer.weight": TURNED}), {"7": SIX.tobytes()})

    tensors = read_torch_weights(file)

    assert tensors["layer.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("write", [_write_zip, _write_legacy])
def test_a_file_that_asks_for_a_function_is_refused_and_nothing_runs(write, tmp_path: Path) -> None:
    file, mark = tmp_path / "evil.pth", tmp_path / "mark"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    write(file, OrderedDict({"w": Evil()}), {})

    with pytest.raises(WeightsError, match=r"evil\.pth: asks for .*mkdir.*refused"):
        read_torch_weights(file)
    assert not mark.exists()


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(_Tensor(_Storage("7", 6), 1, (3, 2), (1, 3)), id="one element too far"),
        pytest.param(_Tensor(_Storage("7", 6), -1, (2,), (1,)), id="before its start"),
        pytest.param(_Tensor(_Storage("7", 6), 0, (1000000,), (0,)), id="one number seen a million times"),
    ],
)
def test_a_view_beyond_its_storage_is_refused(tensor: _Tensor, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    _write_zip(file, OrderedDict({"w": tensor}), {"7": SIX.tobytes()})

    with pytest.raises(WeightsError, match="tensor"):
        read_torch_weights(file)


def test_a_storage_cut_short_is_refused(tmp_path: Path) -> None:
    zipped, legacy = tmp_path / "zip.pth", tmp_path / "legacy.pth"
    _write_zip(zipped, OrderedDict({"w": TURNED}), {"7": SIX.tobytes()[:-4]})
    _write_legacy(legacy, OrderedDict({"w": TURNED}), {"7": SIX.tobytes()})
    legacy.write_bytes(legacy.read_bytes()[:-4])

    for file in (zipped, legacy):
        with pytest.raises(WeightsError, match=file.name):
            read_torch_weights(file)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02K\x01.", b"\x00" * 64, b"not a pickle"])
def test_a_file_that_holds_no_weights_is_one_clear_error(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "odd.pth"
    file.write_bytes(content)

    with pytest.raises(WeightsError, match=r"odd\.pth"):
        read_torch_weights(file)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth: cannot be read"):
        read_torch_weights(tmp_path / "none.pth")


def test_the_packaged_weights_are_read_whole() -> None:
    tensors = read_torch_weights(packaged_weights_file("efficientnet_lite0"))

    learned = sum(array.size for name, array in tensors.items() if name.endswith(("weight", "bias")))
    assert len(tensors) == 296
    assert learned == 4_652_008
    assert all(np.isfinite(array).all() for array in tensors.values())
