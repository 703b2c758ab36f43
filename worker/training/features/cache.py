"""The feature cache on disk: float16 (crops: uint8), memory-mapped, whole or not there at all.

Layout: `<features_dir>/<key>/<run>-<n>.f16` holds up to 64 images' features, `<run>-<n>.json` names them with a
checksum. Both are written whole, the names last: what is named is whole, and two writers never meet.
A data file that is not as it was written (size, time) is summed up when the cache is opened, the others when they are
first read: opening costs a look at each file, and still no damaged feature is learnt from.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from db.progress import Progress, no_progress
from db.whole_files import forget_old_drafts, write_whole
from worker.models.errors import TrainingError

_LAYOUT = 1  # raise when decoding, letterboxing or preprocessing changes what a feature means
_POOLED_AT_ONCE = 256  # 105 MB of the default trunk's features

_SUFFIXES = {"float16": ".f16", "uint8": ".u8"}

Half = npt.NDArray[np.float16]
Rows = npt.NDArray[np.float16] | npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FeatureKey:
    """What a feature depends on besides the image. weights: as `weights_key` names them.

    view: how the image was changed before the trunk saw it; empty for not at all.
    """

    trunk: str
    weights: str
    layer: str
    input_hw: tuple[int, int]
    view: str = field(default="", repr=False)

    @property
    def folder_name(self) -> str:
        """A short folder name that changes with any part."""
        digest = hashlib.sha256(f"{_LAYOUT} {self!r}{self.view}".encode()).hexdigest()[:12]
        return f"{self.trunk}-{self.input_hw[0]}x{self.input_hw[1]}-{digest}"


class _ShardIndex(BaseModel):
    """What names the rows of a data file. written: the file's size and time when it was whole."""

    model_config = ConfigDict(frozen=True)

    sha256s: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: Literal["float16", "uint8"] = "float16"
    crc32: int
    written: tuple[int, int] | None = None


class Shard:
    """Named rows of one file, (N, ...), such as images' features (N, h, w, C); checked when first read."""

    def __init__(self, index_file: Path) -> None:
        """Map the data of a shard.

        Raises:
            OSError, ValueError: a file is missing, or not what its index says.
        """
        index = _ShardIndex.model_validate_json(index_file.read_bytes())
        self._index_file, self._data_file = index_file, index_file.with_suffix(_SUFFIXES[index.dtype])
        self.sha256s = index.sha256s
        self._crc32 = index.crc32
        self._values: Rows = np.memmap(self._data_file, dtype=index.dtype, mode="r", shape=index.shape)
        self._checked = False
        if len(self.sha256s) != len(self._values):
            raise ValueError(f"{len(self.sha256s)} names of {self._values.shape} features")
        if index.written != _written(self._data_file) and not self._is_whole():
            raise ValueError("checksum differs")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image's features, (h, w, C)."""
        rows, columns, channels = self._values.shape[1:]
        return int(rows), int(columns), int(channels)

    def __getitem__(self, row: int) -> Rows:
        if not self._checked and not self._is_whole():
            self.remove()
            raise TrainingError(f"{self._data_file}: was damaged on the disk and is removed; the same command again")
        return np.asarray(self._values[row])

    def remove(self) -> None:
        """Forget the shard; its images are computed again."""
        remove_shard(self._index_file)

    def _is_whole(self) -> bool:
        self._checked = zlib.crc32(self._values.view(np.uint8).data) == self._crc32
        return self._checked


@dataclass(frozen=True)
class Features:
    """The features of some images. shape: (h, w, C).

    rows: where each image's lie, most often in the cache, from which they are read as they are asked for.
    """

    shape: tuple[int, int, int]
    rows: Mapping[str, tuple[Shard | npt.NDArray[np.float32], int]] = field(repr=False)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self.rows

    def gather(self, sha256s: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the features of these images in this order, (N, h, w, C); computing is done in float32.

        Raises:
            TrainingError: a file of the cache was damaged since it was written.
        """
        out = np.empty((len(sha256s), *self.shape), dtype=np.float32)
        for place, sha256 in enumerate(sha256s):
            shard, row = self.rows[sha256]
            out[place] = shard[row]
        return out

    def pooled(self, sha256s: Sequence[str], *, progress: Progress = no_progress) -> npt.NDArray[np.float32]:
        """Return the mean of each feature map of these images in this order, (N, C); few of them are held at once.

        Raises:
            TrainingError: a file of the cache was damaged since it was written.
        """
        out = np.empty((len(sha256s), self.shape[-1]), dtype=np.float32)
        for start in range(0, len(sha256s), _POOLED_AT_ONCE):
            chunk = sha256s[start : start + _POOLED_AT_ONCE]
            out[start : start + len(chunk)] = self.gather(chunk).mean(axis=(1, 2))
            progress(start + len(chunk), len(sha256s))
        return out


def open_cache(folder: Path) -> dict[str, tuple[Shard, int]]:
    """Return where each cached image's features lie; torn shards and forgotten drafts are removed."""
    held: dict[str, tuple[Shard, int]] = {}
    for index_file in sorted(folder.glob("*.json")):
        try:
            shard = Shard(index_file)
        except (OSError, ValueError):
            remove_shard(index_file)
            continue
        held.update({sha256: (shard, row) for row, sha256 in enumerate(shard.sha256s)})
    forget_old_drafts(folder)
    return held


def write_shard(folder: Path, name: str, sha256s: Sequence[str], features: Rows) -> None:
    """Keep named rows, such as images' features (N, h, w, C), under a name that no other writer uses.

    Raises:
        TrainingError: the folder cannot be written.
    """
    raw = np.ascontiguousarray(features).tobytes()
    data_file = folder / f"{name}{_SUFFIXES[str(features.dtype)]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(data_file, raw)
        index = _ShardIndex(
            sha256s=tuple(sha256s),
            shape=features.shape,
            dtype="uint8" if features.dtype == np.uint8 else "float16",
            crc32=zlib.crc32(raw),
            written=_written(data_file),
        )
        write_whole(folder / f"{name}.json", index.model_dump_json().encode())
    except OSError as error:
        raise TrainingError(f"{folder}: features cannot be written ({error.strerror or error})") from error


def remove_shard(index_file: Path) -> None:
    """Remove a shard, its names first: data without names is never read."""
    index_file.unlink(missing_ok=True)
    for suffix in _SUFFIXES.values():
        index_file.with_suffix(suffix).unlink(missing_ok=True)


def _written(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
