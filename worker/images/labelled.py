"""The only place that opens labelled files: each is what was labelled, within the settings' limits, decoded ahead.

A label speaks of one content. A file that changed since is skipped: its new content would be learnt, evaluated and
cached under what was said of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from db.settings import get_settings
from worker.images.ahead import THREADS, ahead
from worker.images.decode import DecodedImage, decode_image
from worker.images.errors import ImageFile, UnreadableImage, UnreadableReason
from worker.images.read import read_image_file


class Labelled(Protocol):
    """What was labelled. file: its path in bytes, or a URL; sha256: of the content that the label speaks of."""

    @property
    def file(self) -> bytes: ...

    @property
    def sha256(self) -> str: ...


_One = TypeVar("_One", bound=Labelled)
_Ready = TypeVar("_Ready")


@dataclass(frozen=True)
class SkippedFile:
    """A labelled file that gave no image, and why; whoever asked for it goes on without."""

    file: bytes
    reason: UnreadableReason
    text: str

    @classmethod
    def because(cls, file: bytes, error: UnreadableImage) -> SkippedFile:
        """Return what to tell of a file that raised this."""
        return cls(file, error.reason, str(error))


Skip = Callable[[SkippedFile], object]
"""Called with each file that is skipped."""


@dataclass(frozen=True)
class LabelledContent:
    """The bytes that were labelled. max_pixels: the largest image that is decoded."""

    file: ImageFile
    max_pixels: int

    def decode(self, *, at_least_hw: tuple[int, int] | None = None) -> DecodedImage:
        """Return the upright image; a JPEG may come reduced, never below at_least_hw.

        Raises:
            UnreadableImage: no image of the allowed formats, broken, or too many pixels.
        """
        return decode_image(self.file.content, at_least_hw=at_least_hw, max_pixels=self.max_pixels)


def open_labelled(labelled: Labelled) -> LabelledContent:
    """Return the content that was labelled.

    Raises:
        UnreadableImage: missing, forbidden, no regular file, empty, larger than TAFFRAIL_MAX_FILE_MIB, or changed.
        StoreUnreachable: the file is a URL whose store does not answer.
    """
    settings = get_settings()
    read = read_image_file(labelled.file, max_bytes=settings.max_file_mib * 2**20)
    if read.sha256 != labelled.sha256:
        raise UnreadableImage(UnreadableReason.CHANGED, "the file changed since it was labelled")
    return LabelledContent(read, settings.max_pixels)


def read_labelled(
    labelled: Iterable[_One],
    prepare: Callable[[_One, LabelledContent], _Ready],
    *,
    on_skipped: Skip = lambda skipped: None,
    waiting: int = 2 * THREADS,
) -> Iterator[tuple[_One, _Ready]]:
    """Yield each readable image with what `prepare` makes of it, in order, read and prepared by threads ahead.

    prepare: called from many threads; it may raise UnreadableImage, such as by decoding.
    waiting: how many images may lie ready before they are asked for.
    Raises:
        StoreUnreachable: a file is a URL whose store does not answer.
    """

    def work(one: _One) -> tuple[_One, _Ready] | SkippedFile:
        try:
            return one, prepare(one, open_labelled(one))
        except UnreadableImage as error:
            return SkippedFile.because(one.file, error)

    for found in ahead(work, labelled, waiting=waiting):
        if isinstance(found, SkippedFile):
            on_skipped(found)
        else:
            yield found
