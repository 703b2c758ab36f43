"""Draws one image's part of a report: a small copy and its heat maps. Runs in processes of its own."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from PIL import Image

from db.domain.results import ImageResult
from db.errors import TaffrailError
from db.store.model_versions import ModelFrame
from worker.images.decode import decode_image
from worker.images.read import read_image_file
from worker.report.heat_layer import HeatTiles, heat_tiles
from worker.vision.heatmaps import unpack_heatmap
from worker.vision.letterbox import fit_letterbox

_QUALITY = 80
CROP_PX = 200
MAX_CROPS = 8
_ENDINGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".bmp", ".dib", ".webp"})


@dataclass(frozen=True)
class ImageTask:
    """What drawing one image needs. frame: what places its model's heat maps, None where it is not known."""

    result: ImageResult
    root: bytes
    artifacts: bytes
    out: Path
    frame: ModelFrame | None
    image_px: int
    with_original: bool
    max_bytes: int
    max_pixels: int


@dataclass(frozen=True)
class DrawnImage:
    """One image's part of a report; files are relative to it. problem: why there is no image.

    heat: to be put on a sheet. crops: one a detection, in their order, None where there is none; only of an image that
    cannot be read any more, for the page cuts them from the image else.
    """

    item_id: int
    image: str | None = None
    heat: HeatTiles | None = None
    crops: tuple[str | None, ...] = ()
    original: str | None = None
    problem: str | None = None


def draw_image(task: ImageTask) -> DrawnImage:
    """Return what was made of an image; one that cannot be read any more keeps its figures, crops and reason."""
    result = task.result
    stem = f"images/{result.item_id:06d}"
    heat = _heat_tiles(task)
    original = None
    try:
        content = read_image_file(result.file, root=task.root, max_bytes=task.max_bytes).content
        _write_small(task, content, task.out / f"{stem}.jpg")
        if task.with_original:
            original = _write_original(task, content)
    except TaffrailError as error:
        return DrawnImage(result.item_id, heat=heat, crops=_write_crops(task, stem), problem=str(error))
    return DrawnImage(result.item_id, image=f"{stem}.jpg", heat=heat, original=original)


def _write_small(task: ImageTask, content: bytes, file: Path) -> None:
    side = task.image_px
    decoded = decode_image(content, at_least_hw=(side, side), max_pixels=task.max_pixels)
    image = Image.fromarray(decoded.pixels)
    image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    image.save(file, "JPEG", quality=_QUALITY)


def _write_original(task: ImageTask, content: bytes) -> str:
    ending = Path(task.result.path).suffix.lower()
    name = f"originals/{task.result.item_id:06d}{ending if ending in _ENDINGS else ''}"
    (task.out / name).write_bytes(content)
    return name


def _write_crops(task: ImageTask, stem: str) -> tuple[str | None, ...]:
    detections = task.result.prediction.detections if task.result.prediction else ()
    names: list[str | None] = []
    for number, found in enumerate(detections):
        wanted = found.crop_file is not None and number < MAX_CROPS
        names.append(_write_crop(task, found.crop_file or "", f"{stem}-{number}.jpg") if wanted else None)
    return tuple(names)


def _write_crop(task: ImageTask, crop_file: str, name: str) -> str | None:
    """A crop of another machine's HOME is not here: the page does without."""
    try:
        content = read_image_file(task.artifacts + b"/" + os.fsencode(crop_file), max_bytes=task.max_bytes).content
        image = Image.fromarray(decode_image(content, at_least_hw=(CROP_PX, CROP_PX)).pixels)
    except TaffrailError:
        return None
    image.thumbnail((CROP_PX, CROP_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    (task.out / name).write_bytes(buffer.getvalue())
    return name


def _heat_tiles(task: ImageTask) -> HeatTiles | None:
    result, said = task.result, task.result.prediction
    if said is None or said.heatmap is None or task.frame is None or not result.width_px or not result.height_px:
        return None
    try:
        heatmap = unpack_heatmap(said.heatmap)  # (H, W, S)
    except (BadZipFile, KeyError, OSError, ValueError):
        return None  # the boxes say enough: a damaged heat map must not cost the page
    grid_hw = (heatmap.shape[0], heatmap.shape[1])
    input_hw = task.frame.input_of(grid_hw)
    letterbox = fit_letterbox(width_px=result.width_px, height_px=result.height_px, into_hw=input_hw)
    return heat_tiles(heatmap, frame=letterbox.grid_frame(grid_hw))
