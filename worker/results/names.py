"""The formats that results go out in, and what can be chosen; light, because the command line reads it at start."""

from __future__ import annotations

from enum import StrEnum


class ResultFormat(StrEnum):
    """The formats of an export."""

    JSON = "json"
    CSV = "csv"
    COCO = "coco"
    MEGADETECTOR = "megadetector"
    YOLO = "yolo"
    KAGGLE = "kaggle"


class BoxChoice(StrEnum):
    """Whose boxes go out.

    answer: one box a fish, none where the image's final species is no fish. both: every box of both heads, so one
    fish may come twice.
    """

    ANSWER = "answer"
    BOX_SPECIES = "box_species"
    HEATMAP = "heatmap"
    BOTH = "both"
