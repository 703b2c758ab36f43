"""Holds the training images decoded, as large as the largest window needs and within a bound; others are read anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.fish_size import wanted_zoom
from db.progress import Progress, no_progress
from worker.images.ahead import ahead
from worker.images.errors import UnreadableImage
from worker.images.labelled import SkippedFile, open_labelled
from worker.training.data.samples import TrainingSample
from worker.training.detector.windows import LARGEST_SIZE
from worker.vision.letterbox import fit_letterbox

Pixels = npt.NDArray[np.uint8]

MAX_HELD_BYTES = 2**30  # 500 images of 1000 x 600 pixels


@dataclass
class HeldImages:
    """The pixels of training images by row. fish_px: of each camera, which tells how large its windows become."""

    samples: Sequence[TrainingSample]
    input_hw: tuple[int, int]
    fish_px: Mapping[str, float]
    max_bytes: int = MAX_HELD_BYTES
    _held: dict[int, Pixels] = field(default_factory=dict)

    def pixels(self, row: int) -> Pixels:
        """Return an image, (H, W, 3) RGB, perhaps reduced.

        Raises:
            UnreadableImage: it could be read before and cannot be any more.
        """
        held = self._held.get(row)
        return self._read(row) if held is None else held

    def read_all(self, *, progress: Progress = no_progress) -> dict[int, SkippedFile]:
        """Decode every image once, hold what there is room for, and return the rows that gave none, with reasons."""
        unreadable: dict[int, SkippedFile] = {}
        room, total = self.max_bytes, len(self.samples)
        for row, read in enumerate(ahead(self._try_read, range(total))):
            if isinstance(read, SkippedFile):
                unreadable[row] = read
            elif read.nbytes <= room:
                self._held[row], room = read, room - read.nbytes
            progress(row + 1, total)
        return unreadable

    def kept(self, rows: Sequence[int]) -> HeldImages:
        """Return these images alone, in this order; what is decoded stays so."""
        held = {place: self._held[row] for place, row in enumerate(rows) if row in self._held}
        return HeldImages([self.samples[row] for row in rows], self.input_hw, self.fish_px, self.max_bytes, held)

    def _try_read(self, row: int) -> Pixels | SkippedFile:
        try:
            return self._read(row)
        except UnreadableImage as error:
            return SkippedFile.because(self.samples[row].file, error)

    def _read(self, row: int) -> Pixels:
        sample = self.samples[row]
        fit = fit_letterbox(width_px=sample.width_px, height_px=sample.height_px, into_hw=self.input_hw)
        zoom = max(1.0, wanted_zoom(self.fish_px.get(sample.camera)) * LARGEST_SIZE)
        wanted_hw = (round(fit.fitted_hw[0] * zoom), round(fit.fitted_hw[1] * zoom))
        pixels = open_labelled(sample).decode(at_least_hw=wanted_hw).pixels
        if pixels.shape[0] <= wanted_hw[0]:
            return pixels
        reduced = Image.fromarray(pixels).resize(wanted_hw[::-1], Image.Resampling.BILINEAR, reducing_gap=2.0)
        return np.asarray(reduced, dtype=np.uint8)
