"""Finds crops that the database names and the disk lacks, and cuts them again from their images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy import Engine

from db.domain.places import is_url
from db.session import reading
from db.settings import Settings
from db.store.crops import NamedCrop, files_of, iterate_crops
from worker.images.decode import DecodedImage, decode_image
from worker.images.errors import SiteFault, UnreadableImage
from worker.images.read import read_image_file
from worker.inference.crop_files import cut_crop
from worker.storage.artifacts import put_artifact, sync_artifacts

_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class RepairedCrops:
    """What a repair came to. problems: why an image's crops could not be made again, with their number."""

    made: int
    problems: tuple[str, ...]


def damaged_crops(engine: Engine, settings: Settings, *, newest: int | None = None) -> list[NamedCrop]:
    """Return the crops that are missing, empty or torn in HOME; none where they lie in an object store.

    newest: look at so many of the newest only, where a power failure would have hit.
    """
    if settings.artifacts:
        return []
    with reading(engine) as session:
        named = iterate_crops(session, newest=newest)
        return [crop for crop in named if not _is_whole(settings.home / crop.name)]


def repair_crops(engine: Engine, settings: Settings, damaged: Sequence[NamedCrop]) -> RepairedCrops:
    """Cut crops again; an image that is not there any more, or has other bytes, is told of.

    Raises:
        OSError: the crops cannot be written. SiteFault: the images' disk fails.
    """
    made, problems = 0, []
    of_image = sorted(damaged, key=lambda crop: (crop.image_id, crop.name))
    for image_id, group in groupby(of_image, key=lambda crop: crop.image_id):
        crops = list(group)
        with reading(engine) as session:
            places = files_of(session, image_id)
        image, why_not = _image(places, crops[0].sha256, settings)
        if image is None:
            problems.append(f"{len(crops)} crops of {_shown(places)}: {why_not}")
        else:
            _cut(image, crops, settings)
            made += len(crops)
    return RepairedCrops(made, tuple(problems))


def _is_whole(file: Path) -> bool:
    try:
        with file.open("rb") as crop:
            crop.seek(-len(_JPEG_END), os.SEEK_END)
            return crop.read() == _JPEG_END
    except OSError:  # not there, or shorter than that
        return False


def _image(places: Sequence[bytes], sha256: str, settings: Settings) -> tuple[DecodedImage | None, str]:
    """Return the image from the first place that still has its content, or why none has."""
    why_not = "no file is known that had this image"
    for path in places:
        root = None if is_url(path) else os.path.dirname(path)
        try:
            file = read_image_file(path, root=root, max_bytes=settings.max_file_mib * 2**20)
            if file.sha256 == sha256:
                return decode_image(file.content, max_pixels=settings.max_pixels), ""
            why_not = "the file has another content now"
        except (UnreadableImage, SiteFault) as error:
            why_not = str(error)
    return None, why_not


def _cut(image: DecodedImage, crops: Sequence[NamedCrop], settings: Settings) -> None:
    for crop in crops:
        put_artifact(settings, crop.name, cut_crop(image, crop.box))
    sync_artifacts(settings, [crop.name for crop in crops])


def _shown(places: Sequence[bytes]) -> str:
    return places[0].decode("utf-8", "backslashreplace") if places else "an image"
