"""Label files and real images come together in the store, on both engines."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from annotator.label_formats.import_labels import ImportOptions, LabelFormat, LabelImport, import_labels
from annotator.label_formats.records import LabelFileError
from db.domain.files import FoundFile
from db.domain.labels import ImageLabel
from db.domain.outcomes import SeenImage
from db.domain.species import DEFAULT_LABEL_SET
from db.session import reading
from db.store.labels import training_records
from tests.factories import write_images
from worker.images.decode import measure_image
from worker.images.read import read_image_file
from worker.images.scan import scan_folder


def test_a_competition_folder_comes_in_without_a_change(engine: Engine, tmp_path: Path) -> None:
    """`train/<species>/img.jpg` and one JSON a species; images without fish are in no JSON, only in their folder."""
    write_images(tmp_path / "train" / "ALB", 3)
    (empty,) = write_images(tmp_path / "train" / "NoF", 1, seed=9)
    empty.rename(empty.with_name("empty.jpg"))
    rect = {"class": "rect", "x": 10, "y": 20, "width": 900, "height": 40}
    _ncfm(tmp_path, "ALB", [("0000.jpg", [rect]), ("ALB/0001.jpg", []), ("no_such.jpg", [rect])])

    done = _import(engine, tmp_path, LabelFormat.NCFM, tmp_path / "boxes")

    assert done.labelled == 4 and done.species == {"ALB": 3, "NoF": 1}
    assert len(done.notes) == 1 and "reached beyond the frame" in done.notes[0]
    assert len(done.problems) == 1 and "'no_such.jpg' is not among the images" in done.problems[0]
    assert _labels(engine)[b"0001.jpg"] == ImageLabel("ALB")


def test_a_image_in_two_files_has_both_fish(engine: Engine, tmp_path: Path) -> None:
    write_images(tmp_path / "train" / "boat_1", 1)
    _ncfm(tmp_path, "ALB", [("0000.jpg", [{"class": "rect", "x": 0, "y": 0, "width": 10, "height": 10}])])
    _ncfm(tmp_path, "LAG", [("0000.jpg", [{"class": "rect", "x": 50, "y": 50, "width": 90, "height": 60}])])

    _import(engine, tmp_path, LabelFormat.NCFM, tmp_path / "boxes")

    label = _labels(engine)[b"0000.jpg"]
    assert label.species == "LAG" and [labelled.species for labelled in label.boxes] == ["ALB", "LAG"]


def test_folders_by_species_say_the_species_alone(engine: Engine, tmp_path: Path) -> None:
    write_images(tmp_path / "train" / "shark" / "trip", 2)
    write_images(tmp_path / "train" / "unsorted", 1, seed=7)

    done = _import(engine, tmp_path, LabelFormat.FOLDERS, tmp_path / "train")

    assert done.species == {"SHARK": 2} and done.boxes == 0
    assert len(done.problems) == 1 and "no folder that is named like a species" in done.problems[0]


def test_species_by_folder_imported_after_the_boxes_do_not_take_them_away(engine: Engine, tmp_path: Path) -> None:
    write_images(tmp_path / "train" / "ALB", 2)
    rect = {"class": "rect", "x": 10, "y": 20, "width": 90, "height": 40}
    _ncfm(tmp_path, "ALB", [("0000.jpg", [rect])])
    _import(engine, tmp_path, LabelFormat.NCFM, tmp_path / "boxes")

    same = _import(engine, tmp_path, LabelFormat.FOLDERS, tmp_path / "train")
    (tmp_path / "train" / "ALB").rename(tmp_path / "train" / "YFT")
    another = _import(engine, tmp_path, LabelFormat.FOLDERS, tmp_path / "train")

    assert (same.changed, another.changed) == (0, 2)
    assert _labels(engine)[b"0000.jpg"] == ImageLabel("YFT")  # another species is another saying, and newer


def test_only_the_folder_that_is_named_tells_species(engine: Engine, tmp_path: Path) -> None:
    for number, name in enumerate(("ALB", "ALB2", "NoF")):
        write_images(tmp_path / "train" / name, 1, seed=number)

    done = _import(engine, tmp_path, LabelFormat.FOLDERS, tmp_path / "train" / "ALB")

    assert done.species == {"ALB": 1} and done.problems == []
    with pytest.raises(LabelFileError, match="is not in the folder of the images"):
        _import(engine, tmp_path, LabelFormat.FOLDERS, tmp_path)


def test_a_broken_image_is_named_and_importing_again_adds_nothing(engine: Engine, tmp_path: Path) -> None:
    write_images(tmp_path / "train" / "ALB", 2)
    (tmp_path / "train" / "ALB" / "torn.jpg").write_bytes(b"no image")

    first = _import(engine, tmp_path, LabelFormat.FOLDERS, tmp_path / "train")
    second = _import(engine, tmp_path, LabelFormat.FOLDERS, tmp_path / "train")

    assert (first.changed, second.changed, second.labelled) == (2, 0, 2)
    assert len(first.problems) == 1 and "torn.jpg: not an image" in first.problems[0]


@pytest.mark.parametrize("species", ["YFT", "<script>"])
def test_what_coco_calls_a_category_is_a_species_or_refused(engine: Engine, tmp_path: Path, species: str) -> None:
    write_images(tmp_path / "train", 1)
    file = tmp_path / "coco.json"
    document = {
        "images": [{"id": "a", "file_name": "0000.jpg", "width": 160, "height": 90}],
        "annotations": [{"image_id": "a", "category_id": 1, "bbox": [10, 10, 20, 20]}],
        "categories": [{"id": 1, "name": species}],
    }
    file.write_text(json.dumps(document))

    done = _import(engine, tmp_path, LabelFormat.COCO, file)

    assert (done.labelled, len(done.problems)) == ((1, 0) if species == "YFT" else (0, 1))


def _ncfm(tmp_path: Path, species: str, images: list[tuple[str, list[dict[str, object]]]]) -> None:
    (tmp_path / "boxes").mkdir(exist_ok=True)
    records = [{"class": "image", "filename": name, "annotations": boxes} for name, boxes in images]
    (tmp_path / "boxes" / f"{species}.json").write_text(json.dumps(records))


def _import(engine: Engine, tmp_path: Path, label_format: LabelFormat, path: Path) -> LabelImport:
    root = os.fsencode(tmp_path / "train")

    def look(file: FoundFile) -> SeenImage:
        read = read_image_file(file.folder + b"/" + file.name, root=root)
        size = measure_image(read.content)
        return SeenImage(read.sha256, size.width_px, size.height_px, size.captured_at)

    options = ImportOptions(path, label_format, root, DEFAULT_LABEL_SET, look)
    return import_labels(engine, options, scan_folder(root, on_problem=lambda place, text: None))


def _labels(engine: Engine) -> dict[bytes, ImageLabel]:
    with reading(engine) as session:
        return {os.path.basename(record.file): record.label for record in training_records(session)}
