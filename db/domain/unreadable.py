"""Why a file, or a part of a video, gives no image; stored as `items.reason`."""

from __future__ import annotations

from enum import StrEnum


class UnreadableReason(StrEnum):
    """Why a file gave no image."""

    MISSING = "missing"
    PERMISSION = "permission"
    NOT_REGULAR = "not a regular file"
    OUTSIDE_ROOT = "outside the root"
    EMPTY = "empty"
    TOO_LARGE = "too large"
    READ_ERROR = "read error"
    NOT_AN_IMAGE = "not an image"
    TOO_MANY_PIXELS = "too many pixels"
    BROKEN = "broken"
    NO_VIDEO_READER = "videos cannot be read here"
    NOT_A_VIDEO = "not a video"
    SOUND_ONLY = "sound only"
    NO_FRAMES = "no frames"
    DAMAGED_VIDEO = "damaged video"
    CHANGED = "changed"
    SIZE_UNKNOWN = "size not known"
