"""How a frame of a video is named: `clip.mp4#t=12.300000`, as in W3C's Media Fragments URI 1.0."""

from __future__ import annotations

import re

VIDEO_EXTENSIONS = frozenset(b".mp4 .m4v .mov .mkv .webm .avi .ts .mts .m2ts".split())
_FRAME = re.compile(rb"(?s)(?P<video>.+)#t=(?P<time_s>\d+\.\d{6})\Z")


def is_video(name: bytes) -> bool:
    """Whether a file is named like a video.

    >>> is_video(b"trip7/CAM1.MP4"), is_video(b"mp4")
    (True, False)
    """
    return name[name.rfind(b".") :].lower() in VIDEO_EXTENSIONS if b"." in name else False


def is_frame(path: bytes) -> bool:
    """Whether a path names a frame of a video.

    >>> is_frame(b"a/clip.mp4#t=12.300000")
    True
    """
    return split_frame(path) is not None


def frame_name(video: bytes, time_s: float) -> bytes:
    """Return the name of a video's frame. time_s: seconds since its first frame.

    >>> frame_name(b"clip.mp4", 12.3)
    b'clip.mp4#t=12.300000'
    """
    return b"%s#t=%.6f" % (video, time_s)


def split_frame(name: bytes) -> tuple[bytes, float] | None:
    """Return the video of a frame's name (or path) and the frame's time in seconds, None where it names no frame.

    >>> split_frame(b"a/clip.mp4#t=12.300000"), split_frame(b"a/clip.mp4")
    ((b'a/clip.mp4', 12.3), None)
    """
    found = _FRAME.match(name)
    if found is None or not is_video(found["video"]):
        return None
    return found["video"], float(found["time_s"])
