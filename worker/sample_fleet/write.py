"""Writes a sample fleet: `images/<camera>/`, `labels/<species>.json` as NCFM wrote them, and `truth.json`."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from db.domain.species import NO_FISH
from db.errors import TaffrailError
from db.progress import Progress
from worker.sample_fleet.image import draw_scene
from worker.sample_fleet.look import CameraLook, draw_look
from worker.sample_fleet.scene import a_moment_later, plan_scene
from worker.sample_fleet.statistics import CAMERAS, CameraStatistics

# Of a camera's images show the scene of the one before, a moment later, as recorders that are read frame by frame do.
_NEXT_FRAME_SHARE = 0.25


class SampleError(TaffrailError):
    """The sample fleet cannot be written."""


@dataclass(frozen=True)
class FleetSummary:
    """What was written: images by species and by camera."""

    images: int
    species: dict[str, int]
    cameras: dict[str, int]


@dataclass(frozen=True)
class PlannedImage:
    """An image before it is drawn: its number, its camera's, and the species it shows.

    moment: images of a camera with the same one are frames of one scene, frame by frame.
    """

    index: int
    camera: int
    species: str
    moment: int
    frame: int

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the camera's real images."""
        return _statistics(self.camera).size_px


@dataclass(frozen=True)
class _Plan:
    out: str
    seed: int
    scale: float


def write_sample_fleet(
    out: Path,
    *,
    images: int,
    cameras: int,
    seed: int,
    scale: float = 1.0,
    first_camera: int = 0,
    leak: bool = True,
    progress: Progress | None = None,
    processes: int | None = None,
) -> FleetSummary:
    """Return what was written below out. scale: share of the real image sizes. The same seed writes the same fleet.

    first_camera: its number; with another one the same seed gives boats of the same fleet that were not seen before.
    leak: whether each camera has species of its own, as in real fleets; else every camera has all species alike.

    Raises:
        SampleError: out holds something already, or the numbers make no fleet.
    """
    if images < 1 or cameras < 1:
        raise SampleError(f"a fleet has at least one image and one camera, found {images} and {cameras}")
    check_new_folder(out)
    orders = plan_fleet(images, range(first_camera, first_camera + cameras), seed, leak=leak)
    for camera in range(first_camera, first_camera + cameras):
        (out / "images" / _camera_name(camera)).mkdir(parents=True, exist_ok=True)
    truths = []
    # Spawned: the caller may have threads, which a fork would not survive.
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for truth in pool.map(partial(_write_one, _Plan(str(out), seed, scale)), orders, chunksize=8):
            truths.append(truth)
            if progress:
                progress(len(truths), images)
    write_labels(out / "labels", truths)
    told = {"seed": seed, "cameras_tell_species": leak, "images": truths}
    (out / "truth.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    return FleetSummary(
        images=len(truths),
        species=dict(Counter(str(truth["species"]) for truth in truths)),
        cameras=dict(Counter(str(truth["camera"]) for truth in truths)),
    )


def check_new_folder(out: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        SampleError: it does.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SampleError(f"{out}: not empty; name a new folder")


def plan_fleet(images: int, cameras: range, seed: int, *, leak: bool) -> list[PlannedImage]:
    """Return which camera takes which species: cameras by their share (at least one each), species by the camera's own.

    Without a leak the species are by all cameras' together; their looks and image sizes stay as different as ever.
    """
    rng = np.random.default_rng([seed, 1, cameras.start])
    weights = np.array([sum(_statistics(camera).species.values()) for camera in cameras], dtype=np.float64) ** 0.6
    chosen = list(cameras[: min(len(cameras), images)])
    chosen += rng.choice(np.array(cameras), size=images - len(chosen), p=weights / weights.sum()).tolist()
    everywhere = sum((Counter(known.species) for known in CAMERAS), Counter())
    orders: list[PlannedImage] = []
    for index, camera in enumerate(sorted(chosen)):
        counts = _statistics(camera).species if leak else everywhere
        shares = np.array(list(counts.values()), dtype=np.float64)
        species, again = str(rng.choice(list(counts), p=shares / shares.sum())), rng.random() < _NEXT_FRAME_SHARE
        before = orders[-1] if orders and orders[-1].camera == camera else None
        if before is not None and again:
            orders.append(replace(before, index=index, frame=before.frame + 1))
        else:
            orders.append(PlannedImage(index, camera, species, moment=index, frame=0))
    return orders


def _statistics(camera: int) -> CameraStatistics:
    return CAMERAS[camera % len(CAMERAS)]


def _camera_name(camera: int) -> str:
    return f"boat_{camera:02d}"


@lru_cache(maxsize=64)
def _look(camera: int, plan: _Plan) -> CameraLook:
    width, height = _statistics(camera).size_px
    size_px = (max(96, round(width * plan.scale)), max(64, round(height * plan.scale)))
    return draw_look(_camera_name(camera), number=camera, size_px=size_px, seed=plan.seed)


def _write_one(plan: _Plan, order: PlannedImage) -> dict[str, object]:
    rng = np.random.default_rng([plan.seed, 3, order.camera, order.index])
    look = _look(order.camera, plan)
    # Frames of one scene are planned from the same seed, wherever they are drawn.
    scene_rng = np.random.default_rng([plan.seed, 4, order.camera, order.moment])
    scene = plan_scene(look, species=order.species, rng=scene_rng)
    for _ in range(order.frame):
        scene = a_moment_later(scene, width_px=look.deck.image.width, rng=scene_rng)
    image = draw_scene(look, scene, clock=_clock(order), rng=rng)
    name = f"{look.name}/img_{order.index:05d}.jpg"
    image.image.save(Path(plan.out) / "images" / name, "JPEG", quality=int(rng.integers(45, 92)))
    return {
        "file": name,
        "camera": look.name,
        "moment": order.moment,
        "species": image.species,
        "size_px": list(image.image.size),
        "fish": [
            {
                "species": fish.species,
                "box": list(fish.box.xyxy),
                "head": list(fish.head_px or ()),
                "tail": list(fish.tail_px or ()),
            }
            for fish in image.fish
        ],
        "conditions": asdict(image.conditions),
    }


def _clock(order: PlannedImage) -> str:
    taken = order.moment
    return (
        f"2024-{1 + taken % 12:02d}-{1 + taken % 28:02d} {taken % 24:02d}:{taken % 60:02d}:{7 + order.frame % 50:02d}"
    )


def write_labels(folder: Path, truths: list[dict[str, object]]) -> None:
    """Write the labels of images as NCFM wrote them, a file a species."""
    folder.mkdir(parents=True, exist_ok=True)
    by_species: dict[str, list[dict[str, object]]] = {}
    for truth in truths:
        fish: list[dict[str, Any]] = truth["fish"]  # type: ignore[assignment]
        if not fish:
            # The competition had no such file; without it nobody could tell "no fish" from "nobody looked".
            empty = {"class": "image", "filename": truth["file"], "annotations": []}
            by_species.setdefault(NO_FISH, []).append(empty)
        for species in sorted({one["species"] for one in fish}):
            boxes = [one["box"] for one in fish if one["species"] == species]
            rects = [
                {"class": "rect", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0} for x0, y0, x1, y1 in boxes
            ]
            by_species.setdefault(species, []).append(
                {"class": "image", "filename": truth["file"], "annotations": rects}
            )
    for species, records in by_species.items():
        (folder / f"{species}.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
