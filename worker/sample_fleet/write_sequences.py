"""Draws planned sequences: cameras that take images all the time, with truth that says which animal is which."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from db.progress import Progress
from worker.sample_fleet.crew import Person
from worker.sample_fleet.image import draw_scene
from worker.sample_fleet.look import CameraLook, draw_look
from worker.sample_fleet.plan_sequences import CameraPlan, PlannedAnimal, plan_camera
from worker.sample_fleet.scene import PlacedFish, Scene, fish_length_px
from worker.sample_fleet.weather import Conditions
from worker.sample_fleet.write import SampleError, check_new_folder, write_labels

BEGINS = datetime(2024, 5, 6, 6, 0, 0)


@dataclass(frozen=True)
class SequencesSummary:
    """What was written: images by camera, animals by species."""

    images: int
    cameras: dict[str, int]
    animals: dict[str, int]


@dataclass(frozen=True)
class _Order:
    """One image to draw: of which camera, and when, seconds since its plan begins."""

    camera: int
    time_s: float


@dataclass(frozen=True)
class _Drawing:
    out: str
    seed: int
    scale: float
    duration_s: float


def write_sequences(
    out: Path,
    *,
    images: int,
    cameras: int,
    per_second: float,
    seed: int,
    scale: float = 1.0,
    first_camera: int = 0,
    progress: Progress | None = None,
    processes: int | None = None,
) -> SequencesSummary:
    """Return what was written below out: as many images of every camera, so many a second.

    A file's name tells its time; truth.json says of every fish which animal it is, and lists the animals.

    Raises:
        SampleError: out holds something already, or there are fewer images than cameras.
    """
    if images < cameras or per_second <= 0:
        raise SampleError(f"each camera takes an image at least, found {images} images and {cameras} cameras")
    check_new_folder(out)
    each = images // cameras
    drawing = _Drawing(str(out), seed, scale, duration_s=each / per_second + 300.0)
    plans = [_plan(camera, drawing) for camera in range(first_camera, first_camera + cameras)]
    orders = [_Order(plan.number, time_s) for plan in plans for time_s in islice(plan.image_times(per_second), each)]
    for plan in plans:
        (out / "images" / plan.name).mkdir(parents=True, exist_ok=True)
    truths: list[dict[str, object]] = []
    # Spawned: the caller may have threads, which a fork would not survive.
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for truth in pool.map(partial(_write_one, drawing), orders, chunksize=8):
            truths.append(truth)
            if progress:
                progress(len(truths), len(orders))
    write_labels(out / "labels", truths)
    animals = _animals(plans, orders)
    told = {"seed": seed, "per_second": per_second, "images": truths, "animals": animals}
    (out / "truth.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    return SequencesSummary(
        len(truths),
        dict(Counter(str(truth["camera"]) for truth in truths)),
        dict(sorted(Counter(str(animal["species"]) for animal in animals).items())),
    )


def scene_of(plan: CameraPlan, look: CameraLook, *, time_s: float) -> Scene:
    """Return what a camera sees at a moment: the animals in their order, and who stands before them."""
    width, height = look.deck.image.size
    dx, dy = plan.shift_at(time_s)
    fish, crew = [], []
    for animal in plan.animals:
        pose = animal.pose_at(time_s)
        if pose is None:
            continue
        length_px = fish_length_px(look, animal.length)
        x_px, y_px = (pose.x + dx) * width, (pose.y + dy) * height
        # On its other side it shows other blotches; its species and its size stay.
        seed = animal.seed + int(pose.mirrored)
        fish.append(PlacedFish(animal.species, length_px, x_px, y_px, pose.angle_rad, seed))
        crew += [_person(animal, x_px, y_px, length_px, cover.hidden, cover.end) for cover in animal.covers_at(time_s)]
    conditions = Conditions(night=False, blur=False, spray=plan.has_spray(time_s), glare=False)
    return Scene(tuple(fish), tuple(crew), conditions, washed_over=False)


def _person(animal: PlannedAnimal, x_px: float, y_px: float, length_px: float, hidden: float, end: int) -> Person:
    """Someone who bends over an animal: over all of it, or over one end."""
    aside_px = 0.0 if hidden > 0.9 else end * length_px * 0.5
    tall_px = max(length_px * 2.6, 40.0)
    return Person(x_px + aside_px, y_px + tall_px * 0.55, tall_px, animal.seed)


def _animals(plans: list[CameraPlan], orders: list[_Order]) -> list[dict[str, object]]:
    """Return the animals of which enough was seen while a camera recorded, with when they came and went."""
    until_s = {plan.number: max(order.time_s for order in orders if order.camera == plan.number) for plan in plans}
    return [
        {
            "animal": animal.animal,
            "camera": plan.name,
            "species": animal.species,
            "from": _moment(animal.span_s[0]),
            "to": _moment(animal.span_s[1]),
        }
        for plan in plans
        for animal in plan.recorded()
        if animal.span_s[0] <= until_s[plan.number]
    ]


@lru_cache(maxsize=64)
def _plan(camera: int, drawing: _Drawing) -> CameraPlan:
    return plan_camera(camera, seed=drawing.seed, duration_s=drawing.duration_s)


@lru_cache(maxsize=64)
def _look(camera: int, drawing: _Drawing) -> CameraLook:
    plan = _plan(camera, drawing)
    width, height = plan.size_px
    size_px = (max(96, round(width * drawing.scale)), max(64, round(height * drawing.scale)))
    return draw_look(plan.name, number=camera, size_px=size_px, seed=drawing.seed)


def _write_one(drawing: _Drawing, order: _Order) -> dict[str, object]:
    plan, look = _plan(order.camera, drawing), _look(order.camera, drawing)
    rng = np.random.default_rng([drawing.seed, 15, order.camera, round(order.time_s * 1000)])
    scene = scene_of(plan, look, time_s=order.time_s)
    taken = BEGINS + timedelta(seconds=order.time_s)
    image = draw_scene(look, scene, clock=f"{taken:%Y-%m-%d %H:%M:%S}", rng=rng)
    name = f"{look.name}/{taken:%Y%m%d_%H%M%S}_{taken.microsecond // 1000:03d}.jpg"
    image.image.save(Path(drawing.out) / "images" / name, "JPEG", quality=85)
    there = [animal for animal in plan.animals if animal.pose_at(order.time_s) is not None]
    return {
        "file": name,
        "camera": look.name,
        "time_s": order.time_s,
        "species": image.species,
        "size_px": list(image.image.size),
        "fish": [
            {
                "animal": there[place].animal,
                "species": fish.species,
                "box": list(fish.box.xyxy),
                "head": list(fish.head_px or ()),
                "tail": list(fish.tail_px or ()),
            }
            for place, fish in zip(image.places, image.fish, strict=True)
        ],
        "conditions": asdict(image.conditions),
    }


def _moment(time_s: float) -> str:
    return (BEGINS + timedelta(seconds=time_s)).isoformat(timespec="milliseconds")
