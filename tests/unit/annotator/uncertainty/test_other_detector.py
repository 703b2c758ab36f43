"""A job beside another detector's file: what both box, what one alone does, and what is of no image of the job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator.label_formats.megadetector import read_megadetector
from annotator.label_formats.records import LabelFileError, RecordNote
from annotator.uncertainty.other_detector import BoxCounts, ComparedImage, compare_with_detector
from db.domain.results import ImageResult
from db.domain.species import DEFAULT_LABEL_SET
from tests.factories import image_result

ROOT = b"/fleet"
FISH = (64.0, 36.0, 128.0, 72.0)  # of 640 x 360: 0.1, 0.1, 0.1 wide and high


def _job() -> list[ImageResult]:
    """Three images, in two of which the job boxes one fish."""
    boxed = [
        image_result(f"boat_1/{name}.jpg", regions=[("ALB", 0.99, FISH)], item_id=place)
        for place, name in enumerate("ab", start=1)
    ]
    return [*boxed, image_result("boat_2/c.jpg", species="NoF", camera="boat_2", item_id=3)]


def _file(folder: Path, images: dict[str, list[dict[str, Any]] | None]) -> Path:
    document = {
        "info": {"format_version": "1.4"},
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "images": [{"file": name, "detections": found, "failure": None} for name, found in images.items()],
    }
    (folder / "md.json").write_text(json.dumps(document))
    return folder / "md.json"


def _found(x: float = 0.1, conf: float = 0.9, category: str = "1") -> dict[str, Any]:
    return {"category": category, "conf": conf, "bbox": [x, 0.1, 0.1, 0.1]}


def test_boxes_are_paired_and_the_rest_is_told_by_image_and_camera(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        {
            "boat_1/a.jpg": [_found(), _found(0.11), _found(0.6), _found(0.8, conf=0.1), _found(0.3, category="2")],
            "boat_2/c.jpg": [],
        },
    )

    found = compare_with_detector(_job(), path, root=ROOT, label_set=DEFAULT_LABEL_SET)

    assert (found.images, found.unnamed, found.problems) == (2, 1, ())
    assert found.boxes == BoxCounts(both=1, only_job=0, only_file=2)  # two boxes of the file fit one fish: it is one
    assert found.by_camera == {"boat_1": BoxCounts(1, 0, 2), "boat_2": BoxCounts()}
    assert found.differing == (ComparedImage("boat_1/a.jpg", "boat_1", BoxCounts(1, 0, 2)),)


def test_what_is_of_no_image_or_was_not_read_is_named(tmp_path: Path) -> None:
    odd = {"category": "1", "conf": None}
    path = _file(tmp_path, {"boat_1/b.jpg": None, "boat_9/z.jpg": [], "boat_1/a.jpg": [odd]})

    found = compare_with_detector(_job(), path, root=ROOT, label_set=DEFAULT_LABEL_SET)

    told = " ".join(found.problems)
    assert len(found.problems) == 3
    assert "has no detections" in told and "is not among the images" in told and "'conf' is None" in told


def test_what_is_no_output_of_a_detector_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "md.json").write_text("[]")

    with pytest.raises(LabelFileError, match="no output of MegaDetector"):
        compare_with_detector(_job(), tmp_path / "md.json", root=ROOT, label_set=DEFAULT_LABEL_SET)


def test_people_and_vehicles_are_no_labels_and_the_bar_is_the_users(tmp_path: Path) -> None:
    path = _file(tmp_path, {"a.jpg": [_found(), _found(0.5, conf=0.3), _found(0.7, category="2")]})

    note, record = read_megadetector(path, DEFAULT_LABEL_SET, least=0.5)

    assert isinstance(note, RecordNote) and note.text == "its boxes of person and vehicle are left out"
    assert not isinstance(record, RecordNote) and len(record.boxes) == 1  # type: ignore[union-attr]
