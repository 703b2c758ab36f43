"""What libtiff prints of a broken file does not reach the terminal; the file's reason is told as any other."""

import io

import numpy as np
import pytest
from PIL import Image

from worker.images.decode import decode_image
from worker.images.errors import UnreadableImage


def _damaged_tiff() -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "TIFF", compression="tiff_adobe_deflate")
    content = bytearray(file.getvalue())
    content[200:260] = bytes(60)
    return bytes(content)


def test_a_damaged_tiff_is_refused_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreadableImage, match="decoder error"):
        decode_image(_damaged_tiff())

    assert capfd.readouterr() == ("", "")
