"""Reads frames of videos as image files: their content is a bitmap. Videos stay open, for the next frame is near."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from db.domain.frames import split_frame
from db.domain.times import TimeSource, time_in_name
from worker.images.errors import ImageFile, UnreadableImage, UnreadableReason
from worker.images.open import open_below
from worker.videos.bitmap import bitmap
from worker.videos.errors import UnreadableVideo
from worker.videos.probe import probe_video
from worker.videos.read import VideoReader

# Two jobs may take turns; more open videos would hold decoders for nothing.
_OPEN_VIDEOS = 2
_Key = tuple[bytes, int, int]


def read_frame(path: bytes, *, root: bytes | None, max_bytes: int) -> ImageFile:
    """Return a frame as the bytes of a bitmap, upright. path: of a frame (`clip.mp4#t=1.500000`), or of a video.

    Raises:
        UnreadableImage: the video gives no such frame; a whole video gives its reason, for it is no image.
    """
    place = split_frame(path)
    if place is None:
        raise _reason_of(path, root, max_bytes)
    video, time_s = place
    try:
        content, began = _VIDEOS.frame(video, time_s, root=root, max_bytes=max_bytes)
    except UnreadableVideo as error:
        raise _as_image_error(error) from None
    sha256 = hashlib.sha256(content).hexdigest()
    started_at, source = (began, TimeSource.CONTAINER) if began else (time_in_name(video), TimeSource.NAME)
    if started_at is None:
        return ImageFile(content, sha256, None, str(TimeSource.RATE))
    taken = datetime.fromisoformat(started_at) + timedelta(seconds=time_s)
    return ImageFile(content, sha256, taken.isoformat(timespec="milliseconds"), str(source))


class _OpenVideos:
    """The videos that were read last, each where it was left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[_Key, VideoReader] = OrderedDict()

    def frame(self, video: bytes, time_s: float, *, root: bytes | None, max_bytes: int) -> tuple[bytes, str | None]:
        """Return a frame's bitmap and when its video began, as the container says."""
        with self._lock:
            reader = self._reader(video, root)
            width, height = reader.size_px
            if width * height * 3 > max_bytes:
                raise UnreadableImage(UnreadableReason.TOO_LARGE, f"a frame of {width}x{height} pixels")
            return bitmap(reader.frame_at(time_s)), reader.started_at

    def close(self) -> None:
        """Close every video."""
        with self._lock:
            while self._held:
                self._held.popitem()[1].close()

    def _reader(self, video: bytes, root: bytes | None) -> VideoReader:
        file = open_below(video, root)  # judged each time: it may have become a link since
        status = os.fstat(file.fileno())
        key = (video, status.st_size, status.st_mtime_ns)
        if key in self._held:
            file.close()
            self._held.move_to_end(key)
            return self._held[key]
        self._held[key] = VideoReader(file)
        while len(self._held) > _OPEN_VIDEOS:
            self._held.popitem(last=False)[1].close()
        return self._held[key]


_VIDEOS = _OpenVideos()


def close_videos() -> None:
    """Close the videos that are held open for the next frame."""
    _VIDEOS.close()


def _reason_of(path: bytes, root: bytes | None, max_bytes: int) -> UnreadableImage:
    """A video is registered by itself only where something is wrong with it: this is what."""
    with open_below(path, root) as file:
        try:
            probe = probe_video(file, max_pixels=max_bytes // 3)
        except UnreadableVideo as error:
            return _as_image_error(error)
    where = f"its last frame is at {probe.times_s[-1]:.3f} s"
    return UnreadableImage(UnreadableReason.DAMAGED_VIDEO, f"{probe.problem}; {where}" if probe.problem else where)


def _as_image_error(error: UnreadableVideo) -> UnreadableImage:
    return UnreadableImage(error.reason, error.text)
