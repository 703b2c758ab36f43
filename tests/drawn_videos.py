"""Videos that tests make: each frame's number can be read from its pixels; in the shapes that recorders leave."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np

SIZE_PX = (96, 64)


def write_video(
    path: Path,
    *,
    times_s: list[float],
    codec: str = "libx264",
    created: str | None = None,
    rate: int = 10,
    same_from: int | None = None,
    keyframe_every: int = 5,
    first: int = 0,
) -> Path:
    """Write a video whose frames begin at some times; frame n is grey, and brighter the larger n is.

    same_from: from this frame on all show the same. first: number of the first frame.
    """
    import av

    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as container:
        if created:
            container.metadata["creation_time"] = created
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = keyframe_every
        for number, time_s in enumerate(times_s):
            shown = number if same_from is None else min(number, same_from)
            frame = av.VideoFrame.from_ndarray(frame_pixels(first + shown), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frame_pixels(number: int) -> np.ndarray:
    """Return frame n, (H, W, 3) uint8: its brightness is 20 + 5 n, its upper left corner is white."""
    width, height = SIZE_PX
    pixels = np.full((height, width, 3), 20 + 5 * number, dtype=np.uint8)
    pixels[: height // 4, : width // 4] = 255
    return pixels


def number_of(pixels: np.ndarray) -> int:
    """Return which frame some pixels show, read from their middle."""
    rows, columns = pixels.shape[:2]
    middle = pixels[rows // 2 - 4 : rows // 2 + 4, columns // 2 - 4 : columns // 2 + 4]
    return round((float(middle.mean()) - 20) / 5)


def write_sound(path: Path) -> Path:
    """Write a file that holds sound only."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn_video(path: Path) -> Path:
    """Tell in an MP4 that it is to be shown turned by 90 degrees clockwise, as a camera mounted on its side does."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version, flags and 40 bytes before the matrix, in version 0
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path
