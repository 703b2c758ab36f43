"""Tiny colour images of labelled ones, cached beside their features: a file is looked at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.images.decode import decode_image
from worker.images.read import read_image_file
from worker.training.data.samples import TrainingSample
from worker.training.features.cache import open_cache, write_shard

THUMBNAIL_HW = (9, 16)
_FOLDER = "thumbnails-1"  # another number when a thumbnail means something else
_SHARD_IMAGES = 512
_DECODE_HW = (54, 96)
_THREADS = 2

Thumbnails = npt.NDArray[np.uint8]


def thumbnails_of(
    samples: Sequence[TrainingSample], features_dir: Path, *, progress: Callable[[int, int], None] = lambda *_: None
) -> Thumbnails:
    """Return the thumbnails of readable images, (N, 9, 16, 3) RGB; only those not cached yet are read from files.

    Raises:
        TrainingError: the cache cannot be written. UnreadableImage: an image cannot be read (any more).
    """
    folder, held = features_dir / _FOLDER, open_cache(features_dir / _FOLDER)
    missing = list({sample.sha256: sample for sample in samples if sample.sha256 not in held}.values())
    run = uuid.uuid4().hex[:12]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="thumbnails") as pool:
        for start in range(0, len(missing), _SHARD_IMAGES):
            chunk = missing[start : start + _SHARD_IMAGES]
            small = np.stack(list(pool.map(_thumbnail_of, chunk)))
            write_shard(folder, f"{run}-{start:07d}", [sample.sha256 for sample in chunk], small)
            progress(start + len(chunk), len(missing))
    if missing:
        held = open_cache(folder)
    places = [held[sample.sha256] for sample in samples]
    return np.stack([np.asarray(shard[row], dtype=np.uint8) for shard, row in places])


def thumbnail(pixels: npt.NDArray[np.uint8]) -> Thumbnails:
    """Return the mean colour of each cell of an image. pixels: (H, W, 3) RGB. Returns (9, 16, 3)."""
    rows, columns = THUMBNAIL_HW
    return np.asarray(Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BOX), dtype=np.uint8)


def _thumbnail_of(sample: TrainingSample) -> Thumbnails:
    return thumbnail(decode_image(read_image_file(sample.file).content, at_least_hw=_DECODE_HW).pixels)
