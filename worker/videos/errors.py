"""Why a video gives no frames, or no more of them."""

from __future__ import annotations

from enum import StrEnum

from db.errors import TaffrailError


class VideoProblem(StrEnum):
    """The reason; `worker.images.errors` has one of the same text for each."""

    NO_VIDEO_READER = "videos cannot be read here"
    NOT_A_VIDEO = "not a video"
    SOUND_ONLY = "sound only"
    NO_FRAMES = "no frames"
    DAMAGED_VIDEO = "damaged video"
    TOO_LARGE = "too large"


class UnreadableVideo(TaffrailError):
    """A video, or a part of one, that gives no frame; the message is one line."""

    def __init__(self, problem: VideoProblem, text: str) -> None:
        super().__init__(f"{problem}: {text}" if text else str(problem))
        self.problem = problem
