"""Reads the tensors of a PyTorch weights file as numpy arrays, without PyTorch and without running what it holds.

A .pth is a pickle, and a plain load of a pickle runs code. Here every name that the pickle asks for is looked up in a
closed table of five harmless ones, every storage is raw bytes, and every view is checked against its storage.
Both layouts are read: the zip (PyTorch >= 1.6) and the one before it (five pickles, then the storages).
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from worker.models.errors import ModelFileError, WeightsError
from worker.models.unpacked_size import check_unpacked_size

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_STORAGE_TYPES = {
    "HalfStorage": np.dtype("<f2"),
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
}
_MAX_PICKLE_BYTES = 16 * 2**20  # names and shapes only; a real file's is about 50 KB

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _StorageRef:
    """A storage as the pickle names it: which one, of which type, how many elements."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _TensorRef:
    """A view of a storage, checked to lie within it."""

    storage: _StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        figures = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(isinstance(n, int) and n >= 0 for n in figures):
            raise WeightsError("a tensor has a shape or a stride that is no size")
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        count: int = math.prod(list(self.shape))
        if count > self.storage.count or (count and last >= self.storage.count):
            raise WeightsError(f"a tensor of shape {self.shape} reaches beyond its storage {self.storage.key}")


def read_torch_weights(file: Path) -> dict[str, Array]:
    """Return every tensor of a state dict by its name, in the file's order.

    Raises:
        WeightsError: the file is missing, damaged, or asks for anything but tensors of numbers.
    """
    try:
        check_unpacked_size(file)
        with file.open("rb") as stream:
            is_zip = stream.read(2) == b"PK"
            stream.seek(0)
            state, storages = _read_zip(stream) if is_zip else _read_legacy(stream)
        return _tensors(state, storages)
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}") from error
    except ModelFileError as error:
        raise WeightsError(str(error)) from error
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to spell
        raise WeightsError(f"{file}: not a PyTorch weights file ({type(error).__name__}: {error})") from error


def _tensors(state: object, storages: dict[str, Array]) -> dict[str, Array]:
    if not isinstance(state, dict):
        raise WeightsError(f"holds a {type(state).__name__}, wanted a dictionary of tensors")
    return {str(name): _view(ref, storages) for name, ref in state.items() if isinstance(ref, _TensorRef)}


def _view(ref: _TensorRef, storages: dict[str, Array]) -> Array:
    flat = storages[ref.storage.key]
    if flat.dtype != ref.storage.dtype or flat.size < ref.storage.count:
        raise WeightsError(f"storage {ref.storage.key} is shorter than its tensors")
    steps = tuple(step * flat.itemsize for step in ref.strides)
    view = np.lib.stride_tricks.as_strided(flat[ref.offset :], shape=ref.shape, strides=steps, writeable=False)
    return np.ascontiguousarray(view).reshape(ref.shape)


class _Reader(pickle.Unpickler):
    """An unpickler that can build nothing but dictionaries and references to tensors."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self.storages: dict[str, _StorageRef] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise WeightsError(f"asks for {module}.{name}, which a file of weights does not need; refused")

    def persistent_load(self, pid: Any) -> _StorageRef:
        kind, dtype, key, _device, count, *view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(count, int) or any(view):
            raise WeightsError("refers to something that is no storage of numbers")
        ref = _StorageRef(key=str(key), dtype=dtype, count=count)
        self.storages[ref.key] = ref
        return ref


def _rebuild_tensor(storage: _StorageRef, offset: int, shape: Any, strides: Any, *_grad_and_hooks: Any) -> _TensorRef:
    return _TensorRef(storage=storage, offset=offset, shape=tuple(shape), strides=tuple(strides))


def _read_zip(stream: IO[bytes]) -> tuple[object, dict[str, Array]]:
    with zipfile.ZipFile(stream) as archive:
        names = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if "byteorder" in names and archive.read(names["byteorder"]) != b"little":
            raise WeightsError("written on a big-endian machine; wanted little-endian numbers")
        if names["data.pkl"].file_size > _MAX_PICKLE_BYTES:
            raise WeightsError("its table of tensors is too large to be one")
        reader = _Reader(io.BytesIO(archive.read(names["data.pkl"])))
        state = reader.load()
        return state, _zip_storages(reader, lambda key: names[f"data/{key}"], archive)


def _zip_storages(
    reader: _Reader, entry: Callable[[str], zipfile.ZipInfo], archive: zipfile.ZipFile
) -> dict[str, Array]:
    storages: dict[str, Array] = {}
    for key, ref in reader.storages.items():
        info = entry(key)
        if info.file_size != ref.count * ref.dtype.itemsize:
            raise WeightsError(f"storage {key} has {info.file_size} bytes, wanted {ref.count * ref.dtype.itemsize}")
        storages[key] = np.frombuffer(archive.read(info), dtype=ref.dtype)
    return storages


def _read_legacy(stream: IO[bytes]) -> tuple[object, dict[str, Array]]:
    if (_Reader(stream).load(), _Reader(stream).load()) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise WeightsError("not a PyTorch weights file")
    machine = _Reader(stream).load()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise WeightsError("written on a big-endian machine; wanted little-endian numbers")
    reader = _Reader(stream)
    state = reader.load()
    keys = _Reader(stream).load()
    return state, {str(key): _legacy_storage(stream, reader.storages[str(key)]) for key in keys}


def _legacy_storage(stream: IO[bytes], ref: _StorageRef) -> Array:
    (count,) = struct.unpack("<q", stream.read(8))
    if count != ref.count:
        raise WeightsError(f"storage {ref.key} has {count} numbers, wanted {ref.count}")
    raw = stream.read(ref.count * ref.dtype.itemsize)
    return np.frombuffer(raw, dtype=ref.dtype)
