"""Cameras of new images: found when they are enqueued where folders do not tell them, and sized by their fish."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine

from db.domain.cameras import CameraOrigin
from db.domain.jobs import Claim, ClaimedItem
from db.session import reading, transaction
from db.settings import Settings
from db.store.batches import claim
from db.store.cameras import camera_images, set_cameras
from db.store.fish_sizes import keep_estimate
from db.store.jobs import make_batches
from db.tables.jobs import BatchRow
from worker.cameras.find_in_job import JobCameras, find_job_cameras
from worker.delivery.worker_events import EventWriter
from worker.images.enqueue import enqueue_folder
from worker.inference.camera_sizes import MOST_LOOKS, CameraSizes
from worker.inference.held_batches import HeldBatches
from worker.inference.pipeline import Stopped
from worker.sample_fleet.write import write_sample_fleet

T = TypeVar("T")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three cameras, `<camera>-<number>.jpg`, in one folder."""
    folder = tmp_path_factory.mktemp("fleet")
    write_sample_fleet(folder / "fleet", images=30, cameras=3, seed=1, scale=0.25, processes=1)
    flat = folder / "flat"
    flat.mkdir()
    for image in json.loads((folder / "fleet" / "truth.json").read_text())["images"]:
        shutil.copy(folder / "fleet" / "images" / image["file"], flat / image["file"].replace("/", "-"))
    return flat


def _place(fleet: Path, to: Path, *, boats: Sequence[int] = (0, 1, 2), species: str = "") -> Path:
    """Copy the images of some boats into a folder, below one of a species where it is given."""
    names = sorted({file.name.split("-")[0] for file in fleet.iterdir()})
    place = to / species if species else to
    place.mkdir(parents=True, exist_ok=True)
    for file in sorted(fleet.iterdir()):
        if names.index(file.name.split("-")[0]) in boats:
            shutil.copy(file, place / file.name)
    return to


def _enqueue(engine: Engine, tmp_path: Path, folder: Path) -> JobCameras:
    settings = Settings(home=tmp_path / "home")
    job = enqueue_folder(engine, settings, os.fsencode(folder))
    return find_job_cameras(engine, settings, job.job_id, os.fsencode(folder))


def _cameras(engine: Engine) -> dict[str, str]:
    with reading(engine) as session:
        return {os.path.basename(one.file).decode(): one.camera for one in camera_images(session)}


def test_folders_named_like_species_are_no_cameras(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    _place(fleet, tmp_path / "sea", boats=(0, 1), species="ALB")
    _place(fleet, tmp_path / "sea", boats=(2,), species="BET")

    done = _enqueue(engine, tmp_path, tmp_path / "sea")

    assert done.found is not None and len(done.found.cameras) == 3
    pairs = {(name.split("-")[0], camera) for name, camera in _cameras(engine).items()}
    assert len(pairs) == 3 and not {camera for _, camera in pairs} & {"ALB", "BET"}


def test_one_folder_of_several_cameras_is_not_one(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    done = _enqueue(engine, tmp_path, _place(fleet, tmp_path / "test_stg1"))

    assert done.found is not None and len(done.found.cameras) == 3


def test_one_folder_of_one_camera_keeps_its_name(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    done = _enqueue(engine, tmp_path, _place(fleet, tmp_path / "stern", boats=(1,)))

    assert done.found is not None and done.found.cameras == {}
    assert set(_cameras(engine).values()) == {"stern"}


def test_folders_that_tell_are_not_looked_into(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    _place(fleet, tmp_path / "sea" / "cam1", boats=(0,))
    _place(fleet, tmp_path / "sea" / "cam2", boats=(1,))

    assert _enqueue(engine, tmp_path, tmp_path / "sea").found is None


def test_new_images_are_sorted_in_among_known_cameras(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    _enqueue(engine, tmp_path, _place(fleet, tmp_path / "stern", boats=(1,)))
    with transaction(engine) as session:
        known = {one.image_id: "stern" for one in list(camera_images(session))[:6]}
        set_cameras(session, known, origin=CameraOrigin.PERSON)
    new = _place(fleet, tmp_path / "test_stg1", boats=(0, 1))
    for file in list(new.iterdir()):  # other bytes: other contents of the same views
        with file.open("ab") as more:
            more.write(b"\0")

    done = _enqueue(engine, tmp_path, new)

    assert done.found is not None and "stern" in done.found.cameras and len(done.found.cameras) == 2


def test_too_many_images_are_not_compared(
    engine: Engine, fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.cameras.find_in_job.MOST_IMAGES", 20)

    assert _enqueue(engine, tmp_path, _place(fleet, tmp_path / "test_stg1")) == JobCameras(None, 30)


class _Sized:
    """An inference that says a fish size, or sees no fish; looks: the images that it was given."""

    model_version = "m"

    def __init__(self, fish_px: float | None) -> None:
        self.fish_px = fish_px
        self.looks: list[Sequence[ClaimedItem]] = []

    def estimate_fish_px(
        self, items: Sequence[ClaimedItem], root: bytes, *, check: Callable[[], None] = lambda: None
    ) -> float | None:
        check()
        self.looks.append(items)
        return self.fish_px


def _now(ask: Callable[[], T]) -> T:
    return ask()


def _claims(engine: Engine, tmp_path: Path, folder: Path) -> list[Claim]:
    settings = Settings(home=tmp_path / "home", batch_items=4)
    enqueue_folder(engine, settings, os.fsencode(folder))
    with transaction(engine) as session:
        make_batches(session, 1, batch_items=4)
        ids = [row.id for row in session.query(BatchRow).order_by(BatchRow.id)]
        claims = [claim(session, one, worker="w", now_s=0.0, lease_s=60.0) for one in ids]
    return [one for one in claims if one is not None]


def test_a_size_is_estimated_from_images_spread_over_the_job(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    first, *_ = _claims(engine, tmp_path, _place(fleet, tmp_path / "stern"))
    seen = _Sized(70.0)

    held = CameraSizes(engine, persistently=_now).with_sizes(first, seen)

    assert {item.fish_px for item in held.items} == {70.0}
    (look,) = seen.looks
    assert len(look) == 10 and len({item.path for item in look}) == 10
    assert not {item.item_id for item in look} <= {item.item_id for item in first.items}


def test_a_camera_that_shows_no_fish_is_not_looked_at_for_ever(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    claims = _claims(engine, tmp_path, _place(fleet, tmp_path / "stern"))
    sizes, empty = CameraSizes(engine, persistently=_now), _Sized(None)

    for held in claims:
        assert {item.fish_px for item in sizes.with_sizes(held, empty).items} == {None}

    assert len(claims) == 8 and len(empty.looks) == MOST_LOOKS


def test_a_camera_that_may_be_another_shows_its_fish_as_large(engine: Engine, fleet: Path, tmp_path: Path) -> None:
    first, *_ = _claims(engine, tmp_path, _place(fleet, tmp_path / "stern~2"))
    _place(fleet, tmp_path / "sea" / "stern", boats=(0,))
    enqueue_folder(engine, Settings(home=tmp_path / "home"), os.fsencode(tmp_path / "sea"))
    with transaction(engine) as session:
        keep_estimate(session, "stern", 140.0)
    unasked = _Sized(70.0)

    held = CameraSizes(engine, persistently=_now).with_sizes(first, unasked)

    assert {item.fish_px for item in held.items} == {140.0} and not unasked.looks


def test_a_worker_that_is_to_stop_looks_no_more_and_gives_its_batch_back(
    engine: Engine, fleet: Path, tmp_path: Path
) -> None:
    first, *_ = _claims(engine, tmp_path, _place(fleet, tmp_path / "stern"))
    held = HeldBatches(engine, "w", Settings(home=tmp_path / "home"), EventWriter(None))
    held.stop()
    sizes = CameraSizes(engine, persistently=held.persistently, check=held.check_not_stopped)

    with pytest.raises(Stopped):
        sizes.with_sizes(first, _Sized(70.0))
