"""Which folder is a camera: none that only sorts, and two boats' `cam1` are two."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from db.session import reading, transaction
from db.store.cameras import same_named
from db.store.folders import camera_name_for, register_folders
from db.tables.images import CameraRow, FolderRow


def _register(engine: Engine, root: bytes, *folders: bytes) -> None:
    with transaction(engine) as session:
        register_folders(session, [root + b"/" + folder for folder in folders], root=root)


def _cameras(engine: Engine) -> dict[str, str]:
    query = select(FolderRow.path, CameraRow.name).join(CameraRow, CameraRow.id == FolderRow.camera_id)
    with reading(engine) as session:
        return {bytes(path).decode(): name for path, name in session.execute(query)}


@pytest.mark.parametrize(
    ("folder", "root", "camera"),
    [
        (b"/d/set/train/images", b"/d/set", "set"),
        (b"/d/set/valid/boat_1", b"/d/set", "boat_1"),
        (b"/cards/Anna/DCIM/100MEDIA", b"/cards", "Anna"),
        (b"/cards/Anna/DCIM/100MEDIA", b"/cards/Anna/DCIM", "Anna"),
        (b"/fleet/Anna/2024-05-06/cam2", b"/fleet", "Anna/cam2"),
        (b"/fleet/cam2/2024-05-06", b"/fleet", "cam2"),
        (b"/images", b"/images", "images"),
    ],
)
def test_a_folder_that_sorts_is_no_camera(folder: bytes, root: bytes, camera: str) -> None:
    assert camera_name_for(folder, root=root) == camera


def test_two_boats_cameras_of_one_name_are_two_and_the_second_is_told(engine: Engine) -> None:
    for boat in (b"/fleet/boatA", b"/fleet/boatB"):
        _register(engine, boat, b"cam1", b"cam2")

    assert _cameras(engine) == {
        "/fleet/boatA/cam1": "cam1",
        "/fleet/boatA/cam2": "cam2",
        "/fleet/boatB/cam1": "boatB/cam1",
        "/fleet/boatB/cam2": "boatB/cam2",
    }
    with reading(engine) as session:
        assert same_named(session, b"/fleet/boatB") == [("boatB/cam1", "cam1"), ("boatB/cam2", "cam2")]
        assert same_named(session, b"/fleet/boatA") == []


def test_a_boats_disk_that_is_mounted_elsewhere_has_the_same_cameras(engine: Engine) -> None:
    _register(engine, b"/usb1/boatA", b"cam1/day1")
    _register(engine, b"/usb2/boatA", b"cam1/day2")

    assert set(_cameras(engine).values()) == {"cam1"}


def test_a_folder_keeps_the_camera_that_it_was_held_with(engine: Engine) -> None:
    _register(engine, b"/fleet/boatA", b"cam1")
    _register(engine, b"/fleet", b"boatA/cam1", b"boatB/cam1")

    assert _cameras(engine) == {"/fleet/boatA/cam1": "cam1", "/fleet/boatB/cam1": "boatB/cam1"}
