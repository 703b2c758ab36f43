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
    EVENTS = "events"
    LABELME = "labelme"
    NCFM = "ncfm"
    COCO_CAMERA_TRAPS = "coco-camera-traps"
    CAMTRAP_DP = "camtrap-dp"


class LabelsOut(StrEnum):
    """The formats that labels and corrections leave in."""

    COCO = "coco"
    YOLO = "yolo"
    LABELME = "labelme"
    NCFM = "ncfm"
    CSV = "csv"


class ImagesIn(StrEnum):
    """How images come into a folder that is written."""

    COPY = "copy"
    HARDLINK = "hardlink"
    NONE = "none"
