"""The feature cache: each picture goes through the trunk once; heads then train on memory-mapped float16.

Layout: `<features_dir>/<key>/<run>-<n>.f16` holds up to 64 pictures' features, `<run>-<n>.json` names them. Both are
written to a draft and renamed, the names last: what is named is whole, and two writers never meet. A shard whose bytes
do not match its checksum is dropped and its pictures are computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.image_files import decode_picture, read_image_file
from worker.models.detector import fold_batch_norms
from worker.models.errors import TrainingError
from worker.models.trunks import build_trunk, trunk_spec, weights_key
from worker.training.samples import TrainingSample
from worker.vision.letterbox import letterbox_picture

_SHARD_PICTURES = 64  # 13 MB of the default trunk: what an interruption can lose
_BATCH_PICTURES = 8
_LAYOUT = 1  # raise when decoding, letterboxing or preprocessing changes what a feature means

Progress = Callable[[int, int], None]
Half = npt.NDArray[np.float16]


@dataclass(frozen=True)
class FeatureKey:
    """What a feature depends on besides the picture."""

    trunk: str
    weights: str
    layer: str
    input_hw: tuple[int, int]

    @property
    def folder_name(self) -> str:
        """A short folder name that changes with any part."""
        digest = hashlib.sha256(f"{_LAYOUT} {self!r}".encode()).hexdigest()[:12]
        return f"{self.trunk}-{self.input_hw[0]}x{self.input_hw[1]}-{digest}"


@dataclass(frozen=True)
class UnreadablePicture:
    """A picture that could not be decoded, and why; training goes on without it."""

    file: bytes
    reason: str


@dataclass(frozen=True)
class Features:
    """The cached features of some pictures. shape: (h, w, C); rows are read from the disk as they are asked for."""

    shape: tuple[int, int, int]
    rows: dict[str, tuple[Half, int]] = field(repr=False)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self.rows

    def gather(self, sha256s: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the features of these pictures in this order, (N, h, w, C); computing is done in float32."""
        out = np.empty((len(sha256s), *self.shape), dtype=np.float32)
        for place, sha256 in enumerate(sha256s):
            shard, row = self.rows[sha256]
            out[place] = shard[row]
        return out


@dataclass(frozen=True)
class ComputedFeatures:
    """What `compute_features` gives back: the features held, and the pictures that have none."""

    features: Features
    unreadable: tuple[UnreadablePicture, ...]


def compute_features(
    samples: Sequence[TrainingSample],
    *,
    trunk: str,
    weights: str | Path,
    input_hw: tuple[int, int],
    features_dir: Path,
    layer: str | None = None,
    progress: Progress = lambda done, total: None,
) -> ComputedFeatures:
    """Return the features of every readable picture, computing only those not cached yet.

    progress: called with (done, total) pictures. Interrupted, it goes on where it stopped.
    Raises:
        UnknownNetwork, WeightsError: the trunk cannot be built. TrainingError: the cache cannot be written.
    """
    key = FeatureKey(trunk, weights_key(trunk, weights), layer or trunk_spec(trunk).layer, input_hw)
    folder = features_dir / key.folder_name
    wanted = {sample.sha256: sample for sample in samples}
    held = _open_cache(folder)
    missing = [sample for sha256, sample in wanted.items() if sha256 not in held]
    progress(len(wanted) - len(missing), len(wanted))
    unreadable: list[UnreadablePicture] = []
    shape = _cached_shape(held)
    if missing or shape is None:
        network = fold_batch_norms(build_trunk(trunk, input_hw=input_hw, weights=weights, layer=layer))
        network.compile(jit_compile=False)  # XLA is slower on CPUs here
        shape = tuple(network.output_shape[1:])
        unreadable = _compute_missing(missing, network, folder, input_hw, len(wanted), progress)
        held = _open_cache(folder)
    rows = {sha256: held[sha256] for sha256 in wanted if sha256 in held}
    return ComputedFeatures(Features(shape, rows), tuple(unreadable))


def _cached_shape(held: dict[str, tuple[Half, int]]) -> tuple[int, int, int] | None:
    for shard, _row in held.values():
        rows, columns, channels = shard.shape[1:]
        return int(rows), int(columns), int(channels)
    return None


def _compute_missing(
    missing: Sequence[TrainingSample],
    network: Any,
    folder: Path,
    input_hw: tuple[int, int],
    total: int,
    progress: Progress,
) -> list[UnreadablePicture]:
    unreadable: list[UnreadablePicture] = []
    run, done = uuid.uuid4().hex[:12], total - len(missing)
    for number, start in enumerate(range(0, len(missing), _SHARD_PICTURES)):
        names: list[str] = []
        parts: list[Half] = []
        chunk = missing[start : start + _SHARD_PICTURES]
        for batch_names, pictures in _batches(chunk, input_hw, unreadable):
            parts.append(_forward(network, pictures))
            names += batch_names
            progress(done + start + len(names), total)
        if names:
            _write_shard(folder, f"{run}-{number:05d}", names, np.concatenate(parts))
        progress(done + start + len(chunk), total)
    return unreadable


def _forward(network: Any, pictures: npt.NDArray[np.uint8]) -> Half:
    """Return the features of up to a batch of pictures; short batches are padded, so that nothing is traced again."""
    count = len(pictures)
    padded = np.zeros((_BATCH_PICTURES, *pictures.shape[1:]), dtype=np.uint8)
    padded[:count] = pictures
    features = np.asarray(network.predict_on_batch(padded))[:count]
    # float16 ends at 65504; a feature beyond it would become infinite and poison the training.
    return np.asarray(np.clip(features, -65504.0, 65504.0), dtype=np.float16)


def _batches(
    chunk: Sequence[TrainingSample], input_hw: tuple[int, int], unreadable: list[UnreadablePicture]
) -> Iterator[tuple[list[str], npt.NDArray[np.uint8]]]:
    names: list[str] = []
    pictures: list[npt.NDArray[np.uint8]] = []
    for sample in chunk:
        try:
            pictures.append(_read_picture(sample, input_hw))
            names.append(sample.sha256)
        except Exception as error:  # decoders raise many kinds; one bad picture never stops a training
            unreadable.append(UnreadablePicture(sample.file, str(error) or type(error).__name__))
        if len(names) == _BATCH_PICTURES:
            yield names, np.stack(pictures)
            names, pictures = [], []
    if names:
        yield names, np.stack(pictures)


def _read_picture(sample: TrainingSample, input_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    read = read_image_file(sample.file)
    if read.sha256 != sample.sha256:
        raise TrainingError(f"{os.fsdecode(sample.file)}: the file changed since it was labelled")
    picture = decode_picture(read.content, at_least_hw=input_hw)
    pixels, _letterbox = letterbox_picture(picture.pixels, into_hw=input_hw)
    return np.asarray(pixels, dtype=np.uint8)


def _write_shard(folder: Path, name: str, sha256s: list[str], features: Half) -> None:
    raw = np.ascontiguousarray(features).tobytes()
    index = {"sha256s": sha256s, "shape": list(features.shape), "crc32": zlib.crc32(raw)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(folder / f"{name}.f16", raw)
        _write_whole(folder / f"{name}.json", json.dumps(index).encode())
    except OSError as error:
        raise TrainingError(f"{folder}: features cannot be written ({error.strerror or error})") from error


def _write_whole(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.draft")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, file)


def _open_cache(folder: Path) -> dict[str, tuple[Half, int]]:
    """Return where each cached picture's features lie; damaged shards are removed."""
    held: dict[str, tuple[Half, int]] = {}
    for index_file in sorted(folder.glob("*.json")):
        data_file = index_file.with_suffix(".f16")
        try:
            index = json.loads(index_file.read_bytes())
            shard = np.memmap(data_file, dtype=np.float16, mode="r", shape=tuple(index["shape"]))
            if zlib.crc32(shard.view(np.uint8).data) != index["crc32"] or len(index["sha256s"]) != len(shard):
                raise ValueError("checksum differs")
        except (OSError, ValueError, KeyError, TypeError):
            index_file.unlink(missing_ok=True)
            data_file.unlink(missing_ok=True)
            continue
        held.update({str(sha256): (shard, row) for row, sha256 in enumerate(index["sha256s"])})
    return held
