"""Opens a video with PyAV: one known container format, nothing but the file that was judged is ever read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from db.domain.unreadable import UnreadableReason
from worker.videos.errors import UnreadableVideo

# Playlists and such are left out: they name other files and addresses, which would be read in our name.
FORMATS = "mov,matroska,avi,mpegts"
_BUFFER_BYTES = 1 << 20


@contextmanager
def opened_video(file: IO[bytes]) -> Iterator[tuple[Any, Any]]:
    """Give the container and its video stream; the file is an open one, read from wherever it stands.

    Raises:
        UnreadableVideo: no video of the known formats, or no picture stream in it, or PyAV is not installed.
    """
    container = _open(file)
    try:
        streams = [one for one in container.streams.video if not _is_cover(one)]
        if not streams:
            raise _without_pictures(container)
        stream = streams[0]
        stream.thread_type = "AUTO"
        yield container, stream
    finally:
        container.close()


def told_clearly(error: Exception) -> str:
    """Return what FFmpeg complained of, in one line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:200] or type(error).__name__


def av_error() -> type[Exception]:
    """Return what PyAV raises for whatever FFmpeg stumbles over."""
    import av

    return av.error.FFmpegError


def _open(file: IO[bytes]) -> Any:
    try:
        import av
    except ImportError:
        raise UnreadableVideo(UnreadableReason.NO_VIDEO_READER, "pip install 'taffrail-fish[video]'") from None
    if not file.read(1):
        raise UnreadableVideo(UnreadableReason.NO_FRAMES, "the file has no bytes")
    file.seek(0)
    try:
        options = {"format_whitelist": FORMATS}
        return av.open(file, "r", container_options=options, buffer_size=_BUFFER_BYTES, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise UnreadableVideo(UnreadableReason.NOT_A_VIDEO, told_clearly(error)) from None


def _is_cover(stream: Any) -> bool:
    """Whether a stream is a still that belongs to a piece of music."""
    return "attached_pic" in str(getattr(stream, "disposition", "")).lower()


def _without_pictures(container: Any) -> UnreadableVideo:
    if container.streams.audio:
        return UnreadableVideo(UnreadableReason.SOUND_ONLY, "it has no picture stream")
    return UnreadableVideo(UnreadableReason.NO_FRAMES, "it has no picture stream")
