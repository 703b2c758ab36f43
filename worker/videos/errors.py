"""Why a video gives no frames, or no more of them."""

from __future__ import annotations

from enum import StrEnum

from db.errors import TaffrailError


class VideoProblem(StrEnum):
    """The reason, of a small set."""

    NO_READER = "videos cannot be read here"
    NOT_A_VIDEO = "not a video"
    ONLY_SOUND = "sound only"
    NO_FRAMES = "no frames"
    DAMAGED = "damaged video"
    TOO_MANY_PIXELS = "too many pixels"


class UnreadableVideo(TaffrailError):
    """A video, or a part of one, that gives no frame; the message is one line."""

    def __init__(self, problem: VideoProblem, text: str) -> None:
        super().__init__(f"{problem}: {text}" if text else str(problem))
        self.problem = problem
