"""Cameras as people see them: how many images each took, of what, and how it is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CameraOrigin(StrEnum):
    """How it is known which camera took an image."""

    FOLDER = "folder"
    METADATA = "metadata"
    BACKGROUND = "background"
    PERSON = "person"


@dataclass(frozen=True)
class CameraSummary:
    """One camera and its images. species: how many images are labelled so. example: an image's path."""

    name: str
    images: int
    species: dict[str, int]
    origins: dict[str, int]
    example: bytes
    sizes: tuple[str, ...]


@dataclass(frozen=True)
class CameraImage:
    """An image with its camera. file: absolute path, bytes. species: its newest label's, or None."""

    image_id: int
    file: bytes
    camera: str
    origin: CameraOrigin
    width_px: int | None
    height_px: int | None
    species: str | None
