"""YOLO and COCO exports, opened by a program that is not ours: roboflow's supervision."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from db.domain.results import ImageResult
from db.domain.species import DEFAULT_LABEL_SET
from tests.factories import image_result, write_images
from worker.results import coco, yolo
from worker.results.names import ResultFormat
from worker.results.options import Export, ResultOptions

BOX = (32.0, 18.0, 160.0, 90.0)


@pytest.fixture(scope="module")
def supervision() -> ModuleType:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="OpenCV")  # it does without
        import supervision

    return supervision


@pytest.fixture
def fleet(tmp_path: Path) -> list[ImageResult]:
    """Two images of 320 x 180: an ALB in a box, and an empty deck."""
    results = []
    for file, seen in zip(write_images(tmp_path / "fleet" / "boat_1", 2), ("ALB", "NoF"), strict=True):
        box = BOX if seen == "ALB" else ()
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        named = {"file": os.fsencode(file), "sha256": sha256, "width_px": 320, "height_px": 180}
        results.append(image_result(f"boat_1/{file.name}", box=box, species=seen, **named))
    return results


def export_of(root: Path) -> Export:
    return Export(os.fsencode(root), DEFAULT_LABEL_SET, ("m1",), ResultOptions(ResultFormat.YOLO), "a job", job_id=1)


def test_a_yolo_folder_is_read(supervision: ModuleType, fleet: list[ImageResult], tmp_path: Path) -> None:
    yolo.write(tmp_path / "y", fleet, export_of(tmp_path / "fleet"))

    read = supervision.DetectionDataset.from_yolo(
        images_directory_path=str(tmp_path / "y" / "images" / "boat_1"),
        annotations_directory_path=str(tmp_path / "y" / "labels" / "boat_1"),
        data_yaml_path=str(tmp_path / "y" / "data.yaml"),
    )

    _holds_one_fish_and_an_empty_deck(read)


def test_a_coco_file_is_read(supervision: ModuleType, fleet: list[ImageResult], tmp_path: Path) -> None:
    coco.write(tmp_path / "c.json", fleet, export_of(tmp_path / "fleet"))

    read = supervision.DetectionDataset.from_coco(
        images_directory_path=str(tmp_path / "fleet"), annotations_path=str(tmp_path / "c.json")
    )

    _holds_one_fish_and_an_empty_deck(read)


def _holds_one_fish_and_an_empty_deck(read: object) -> None:
    assert read.classes == list(DEFAULT_LABEL_SET.fish)  # type: ignore[attr-defined]
    found = {Path(path).name: (image, boxes) for path, image, boxes in read}  # type: ignore[attr-defined]
    image, fish = found["0000.jpg"]
    assert image.shape == (180, 320, 3)
    assert fish.xyxy.round().tolist() == [list(BOX)] and fish.class_id.tolist() == [0]
    assert len(found["0001.jpg"][1]) == 0
