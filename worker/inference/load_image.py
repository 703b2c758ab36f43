"""Loads one item of a batch: its bytes and hash first, then the image fitted into the network's input."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from db.domain.fish_size import NOMINAL_HW
from db.domain.frames import is_frame
from db.domain.jobs import ClaimedItem
from db.domain.outcomes import ItemOutcome, SeenImage
from db.domain.times import KNOWN_PATTERNS
from worker.delivery.fail_points import fail_point
from worker.images.decode import DecodedImage, decode_image, measure_image
from worker.images.errors import ImageFile, UnreadableImage
from worker.images.read import read_image_file
from worker.images.thumbnail import thumbnail
from worker.images.times import time_taken
from worker.storage.kept_features import ImageFeatures, KeptImage
from worker.vision.letterbox import Letterbox, letterbox_image

# A file above this is read a second time for decoding: a thousand waiting files must fit into memory.
_KEPT_BYTES = 8 * 2**20
# Images above this are decoded one at a time: two of the largest allowed would take gigabytes.
_LARGE_PIXELS = 24_000_000
# Crops are cut from no more than this many times the network's input; what a larger image adds is not kept.
_KEPT_TIMES_INPUT = 4


@dataclass(frozen=True)
class HashedFile:
    """An item whose bytes were read. content: None where they are too many to be kept.

    file: as it was read, without its bytes.
    """

    item: ClaimedItem
    file: ImageFile
    content: bytes | None

    @property
    def sha256(self) -> str:
        """Of the bytes, in hex."""
        return self.file.sha256


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """An image ready for the network. canvas: (H, W, 3) uint8, letterboxed. decoded: what crops are cut from.

    features: what the trunk said of it before; then nothing is decoded yet, canvas and decoded have no pixels.

    whole: the file's bytes, where crops are cut from the whole original, which `ImageLoader.for_crops` decodes: most
    frames of a deck show no fish and need it not.
    """

    item: ClaimedItem
    image: SeenImage
    decoded: DecodedImage
    canvas: npt.NDArray[np.uint8]
    letterbox: Letterbox
    whole: bytes | None = None
    features: ImageFeatures | None = None


class ImageLoader:
    """Reads and decodes items for the network; safe to be called from many threads.

    whole_crops: crops are cut from the original, not from what a JPEG's reduced decoding gives the network.
    time_patterns: how a file's name tells when the image was taken, where its EXIF does not.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        max_pixels: int,
        whole_crops: bool = False,
        time_patterns: Sequence[str] = KNOWN_PATTERNS,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._whole_crops = whole_crops
        self._time_patterns = tuple(time_patterns)
        self._one_large = threading.Lock()

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile | ItemOutcome:
        """Return a file's hash, with its bytes unless they are many; a failure's outcome where it gives none."""
        try:
            file = read_image_file(item.path, root=root, max_bytes=self._max_bytes)
        except UnreadableImage as error:
            return failed_outcome(item, error)
        # To read a frame again would mean to go back in its video.
        kept = len(file.content) <= _KEPT_BYTES or is_frame(item.path)
        return HashedFile(item, replace(file, content=b""), file.content if kept else None)

    def decode(self, file: HashedFile, root: bytes, *, input_hw: tuple[int, int]) -> LoadedImage | ItemOutcome:
        """Return the image of a file that was read, fitted into this input; its failure's outcome if there is none."""
        fail_point("decoding", file.item.path)
        try:
            content, held = file.content, file.file
            if content is None:
                held = read_image_file(file.item.path, root=root, max_bytes=self._max_bytes)
                content = held.content
            decoded = self._decoded(content, input_hw)
        except UnreadableImage as error:
            return failed_outcome(file.item, error)
        canvas, fitted = letterbox_image(decoded.pixels, into_hw=input_hw)
        # The letterbox speaks of the whole original, whatever size was decoded.
        letterbox = Letterbox(
            width_px=decoded.width_px,
            height_px=decoded.height_px,
            input_hw=input_hw,
            fitted_hw=fitted.fitted_hw,
            pad_x=fitted.pad_x,
            pad_y=fitted.pad_y,
        )
        taken = time_taken(decoded.captured_at, held, file.item.path, self._time_patterns)
        image = SeenImage(
            held.sha256,
            decoded.width_px,
            decoded.height_px,
            *taken,
            note=decoded.note,
            thumbnail=thumbnail(decoded.pixels).tobytes(),
            taken_with=decoded.taken_with,
        )
        loaded = LoadedImage(file.item, image, self._kept(decoded, input_hw), canvas, letterbox)
        if self._whole_crops and decoded.pixels.shape[1] < decoded.width_px:
            loaded = replace(loaded, whole=content)
            return loaded if file.content is not None else self.for_crops(loaded)  # many bytes must not wait
        return loaded

    def from_kept(
        self, file: HashedFile, kept: KeptImage, features: ImageFeatures, input_hw: tuple[int, int]
    ) -> LoadedImage:
        """Return an image whose features are kept, as `decode` would with these bytes; nothing is decoded yet."""
        assert file.content is not None  # features of a file that is read twice are not kept
        width_px, height_px = kept.width_px, kept.height_px
        rows, columns, pad_x, pad_y = kept.letterbox
        letterbox = Letterbox(width_px, height_px, input_hw, (rows, columns), pad_x, pad_y)
        nothing = np.empty((0, 0, 3), dtype=np.uint8)
        decoded = DecodedImage(nothing, width_px, height_px, kept.captured_at, kept.note)
        taken = time_taken(kept.captured_at, file.file, file.item.path, self._time_patterns)
        seen = SeenImage(file.sha256, width_px, height_px, *taken, note=kept.note)
        image = replace(seen, thumbnail=bytes.fromhex(kept.thumbnail))
        return LoadedImage(file.item, image, decoded, nothing, letterbox, whole=file.content, features=features)

    def for_crops(self, loaded: LoadedImage) -> LoadedImage:
        """Return the image with the pixels that its crops are cut from.

        Raises:
            UnreadableImage: the bytes gave a reduced image, but give no whole one.
        """
        if loaded.whole is None:
            return loaded
        input_hw = None if self._whole_crops else loaded.letterbox.input_hw
        decoded = self._decoded(loaded.whole, input_hw)
        return replace(loaded, decoded=self._kept(decoded, loaded.letterbox.input_hw), whole=None)

    def _decoded(self, content: bytes, input_hw: tuple[int, int] | None) -> DecodedImage:
        """Return a file's image, whole or large enough for this input."""
        size = measure_image(content, max_pixels=self._max_pixels)
        large = size.width_px * size.height_px > _LARGE_PIXELS
        with self._one_large if large else nullcontext():
            if input_hw is None:
                return decode_image(content, max_pixels=self._max_pixels)
            # Crops are cut from it, too: a small input must not make them small.
            at_least_hw = (max(input_hw[0], NOMINAL_HW[0]), max(input_hw[1], NOMINAL_HW[1]))
            return decode_image(content, at_least_hw=at_least_hw, max_pixels=self._max_pixels)

    def _kept(self, decoded: DecodedImage, input_hw: tuple[int, int]) -> DecodedImage:
        """An image that waits for its crops must not hold hundreds of megabytes."""
        rows, columns = input_hw
        step = min(decoded.pixels.shape[0] // rows, decoded.pixels.shape[1] // columns) // _KEPT_TIMES_INPUT
        if step < 2:
            return decoded
        pixels = np.ascontiguousarray(decoded.pixels[::step, ::step])
        return replace(decoded, pixels=pixels)


def failed_outcome(item: ClaimedItem, error: UnreadableImage) -> ItemOutcome:
    """Return the stored failure of an item whose file gave no image."""
    return ItemOutcome(item.item_id, item.file_id, reason=str(error.reason), failure=str(error))
