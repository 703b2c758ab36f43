"""Cameras as people see them: how many images each took, of what, and how it is known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_MAY_BE = re.compile(r"(.+)~[0-9]+\Z")


def maybe_same(camera: str, number: int) -> str:
    """Return the name of a camera that may be another one seen again; number: from 2.

    >>> maybe_same("camera_03", 2)
    'camera_03~2'
    """
    return f"{camera}~{number}"


def side_of(camera: str) -> str:
    """Return what stays on one side of every split: a camera, with those that may be the same.

    >>> side_of("camera_03~2"), side_of("camera_03"), side_of("~2")
    ('camera_03', 'camera_03', '~2')
    """
    found = _MAY_BE.match(camera)
    return found.group(1) if found else camera


def count_sides(cameras: Iterable[str]) -> int:
    """Return how many cameras there are for certain."""
    return len({side_of(camera) for camera in cameras})


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
