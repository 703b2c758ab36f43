"""What a machine, a limit or a disk is to blame for says nothing about an image."""

from __future__ import annotations

import errno
import io
import os
import tracemalloc
from pathlib import Path
from typing import BinaryIO

import pytest
from PIL import Image

from worker.images import decode, read
from worker.images.decode import decode_image
from worker.images.errors import SITE_ERRNOS, SiteFault, UnreadableImage, UnreadableReason
from worker.images.read import read_image_file

OF_THE_SITE = [pytest.param(number, id=errno.errorcode[number]) for number in sorted(SITE_ERRNOS)]
OF_THE_FILE = [
    pytest.param(errno.ENOENT, UnreadableReason.MISSING, id="ENOENT"),
    pytest.param(errno.ELOOP, UnreadableReason.MISSING, id="ELOOP"),
    pytest.param(errno.EACCES, UnreadableReason.PERMISSION, id="EACCES"),
    pytest.param(errno.ENAMETOOLONG, UnreadableReason.READ_ERROR, id="ENAMETOOLONG"),
]


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    return os.fsencode(tmp_path / "a.jpg")


@pytest.mark.parametrize("number", OF_THE_SITE)
def test_a_fault_of_the_site_when_a_file_is_opened(image: bytes, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_to_open(monkeypatch, number)

    with pytest.raises(SiteFault, match=r"a\.jpg: "):
        read_image_file(image)


@pytest.mark.parametrize("number", OF_THE_SITE)
def test_a_fault_of_the_site_when_a_file_is_read(image: bytes, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_file: BinaryIO, **_: int) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(read, "_read", fail)

    with pytest.raises(SiteFault, match=r"a\.jpg: "):
        read_image_file(image)


@pytest.mark.parametrize(("number", "reason"), OF_THE_FILE)
def test_a_fault_of_the_file_itself(
    image: bytes, number: int, reason: UnreadableReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_to_open(monkeypatch, number)

    with pytest.raises(UnreadableImage) as raised:
        read_image_file(image)

    assert raised.value.reason is reason


def test_memory_is_asked_for_by_the_files_size_and_not_by_the_largest_allowed(image: bytes) -> None:
    tracemalloc.start()
    try:
        read_image_file(image, max_bytes=512 * 2**20)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 2**20


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end_or_to_the_limit(tmp_path: Path) -> None:
    file = _Growing(b"x" * 10, then=b"y" * 30)

    assert read._read(file, max_bytes=100) == b"x" * 10 + b"y" * 30  # type: ignore[arg-type]
    assert len(read._read(_Growing(b"x" * 10, then=b"y" * 300), max_bytes=100)) == 101  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [MemoryError(), OSError("image file is truncated: out of memory error")])
def test_no_memory_is_no_fault_of_the_image(image: bytes, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(decode, "_decode", fail)

    with pytest.raises(SiteFault, match="not enough memory"):
        decode_image(Path(os.fsdecode(image)).read_bytes())


class _Growing(io.BytesIO):
    """A file that had one size when it was looked at, and has another now."""

    def __init__(self, seen: bytes, *, then: bytes) -> None:
        super().__init__(seen + then)
        self._file = os.memfd_create("seen")
        os.write(self._file, seen)

    def fileno(self) -> int:
        return self._file


def _fail_to_open(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
