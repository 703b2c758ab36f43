"""Tiny colour images of labelled ones, cached beside their features: a file is looked at once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from db.domain.duplicates import THUMBNAIL_HW
from db.progress import Progress
from worker.images.ahead import batches
from worker.images.labelled import LabelledContent, SkippedFile, read_labelled
from worker.images.thumbnail import thumbnail
from worker.training.data.samples import TrainingSample
from worker.training.features.cache import open_cache, write_shard

_FOLDER = "thumbnails-2"  # another number when a thumbnail means something else; 1 held some of files that had changed
_SHARD_IMAGES = 512
_DECODE_HW = (54, 96)

Thumbnails = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ThumbnailsOf:
    """samples: those that have a thumbnail, in the order asked for. pixels: (N, 9, 16, 3) RGB. skipped: the others."""

    samples: list[TrainingSample]
    pixels: Thumbnails
    skipped: tuple[SkippedFile, ...]


def thumbnails_of(
    samples: Sequence[TrainingSample], features_dir: Path, *, progress: Progress = lambda *_: None
) -> ThumbnailsOf:
    """Return the thumbnails of images and whose they are; only those not cached yet are read from files.

    Raises:
        TrainingError: the cache cannot be written.
    """
    folder = features_dir / _FOLDER
    held, skipped = open_cache(folder), list[SkippedFile]()
    missing = list({sample.sha256: sample for sample in samples if sample.sha256 not in held}.values())
    run, done = uuid.uuid4().hex[:12], 0
    read = read_labelled(missing, lambda _sample, content: _thumbnail_of(content), on_skipped=skipped.append)
    for number, chunk in enumerate(batches(read, _SHARD_IMAGES)):
        small = np.stack([pixels for _sample, pixels in chunk])
        write_shard(folder, f"{run}-{number:05d}", [sample.sha256 for sample, _pixels in chunk], small)
        done += len(chunk)
        progress(done + len(skipped), len(missing))
    if missing:
        held = open_cache(folder)
    kept = [sample for sample in samples if sample.sha256 in held]
    places = [held[sample.sha256] for sample in kept]
    rows = [np.asarray(shard[row], dtype=np.uint8) for shard, row in places]
    pixels = np.stack(rows) if rows else np.zeros((0, *THUMBNAIL_HW, 3), dtype=np.uint8)
    return ThumbnailsOf(kept, pixels, tuple(skipped))


def _thumbnail_of(content: LabelledContent) -> Thumbnails:
    return thumbnail(content.decode(at_least_hw=_DECODE_HW).pixels)
