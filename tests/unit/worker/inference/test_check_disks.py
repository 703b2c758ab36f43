"""The place of a disk that went away is told from a folder that somebody removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from worker.inference.site_folders import FolderUnseen, check_disks


@pytest.fixture
def trip(tmp_path: Path) -> Path:
    for camera in ("cam1", "cam2"):
        (tmp_path / camera / "day1").mkdir(parents=True)
        (tmp_path / camera / "day1" / "a.jpg").touch()
    return tmp_path


def test_an_empty_place_of_a_cameras_disk_is_the_sites_fault(trip: Path) -> None:
    missing = os.fsencode(trip / "cam1" / "day1" / "a.jpg")
    shutil.rmtree(trip / "cam1" / "day1")

    with pytest.raises(FolderUnseen, match=r"cam1: is empty on this machine; is its disk mounted"):
        check_disks(os.fsencode(trip), [missing])


def test_a_disk_that_came_back_after_its_images_were_not_found_is_the_sites_fault(trip: Path) -> None:
    with pytest.raises(FolderUnseen, match="is there again"):
        check_disks(os.fsencode(trip), [os.fsencode(trip / "cam1" / "day1" / "a.jpg")])


def test_a_link_that_leads_nowhere_is_gone(trip: Path) -> None:
    (trip / "cam1" / "day1" / "link.jpg").symlink_to("nowhere")

    check_disks(os.fsencode(trip), [os.fsencode(trip / "cam1" / "day1" / "link.jpg")])


@pytest.mark.parametrize("gone", ["cam1/day1/a.jpg", "cam1"])
def test_a_file_or_a_folder_that_was_removed_is_gone(trip: Path, gone: str) -> None:
    (trip / "cam1" / "day1" / "b.jpg").touch()
    place = trip / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()

    check_disks(os.fsencode(trip), [os.fsencode(trip / "cam1" / "day1" / "a.jpg")])
