"""Every format holds what it should of a few images made by hand, and is what other programs read."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from annotator.label_formats.megadetector import read_megadetector
from annotator.label_formats.ncfm import read_ncfm
from annotator.label_formats.records import RawRecord
from annotator.labelme.json_files import read_labelme
from db.domain.boxes import Box
from db.domain.corrections import BoxChange, Change, Correction, CorrectionOutcome
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.results import ImageResult
from db.domain.species import DEFAULT_LABEL_SET
from db.domain.taken_with import TakenWith
from tests.factories import failed_result, image_result, sure_of, write_images
from worker.results import (
    as_csv,
    as_json,
    camtrap_dp,
    coco,
    coco_camera_traps,
    kaggle,
    labelme,
    megadetector,
    ncfm,
    yolo,
)
from worker.results.files import OutputError, new_file
from worker.results.names import ImagesIn, ResultFormat
from worker.results.options import Export, ResultOptions

FISH = ("ALB", "BET", "DOL", "LAG", "OTHER", "SHARK", "YFT")
BOX = (64.0, 36.0, 320.0, 180.0)
FAR = (400.0, 200.0, 480.0, 260.0)


def export(root: Path = Path("/fleet"), **chosen: Any) -> Export:
    options = ResultOptions(ResultFormat.JSON, **chosen)
    return Export(os.fsencode(root), DEFAULT_LABEL_SET, ("m1",), options, "Taffrail job 7", job_id=7)


def two_fish() -> ImageResult:
    """A fish that both heads see and the heat-map head sees twice, another fish, and a doubtful box."""
    part, doubtful = (70.0, 40.0, 90.0, 60.0), (500.0, 10.0, 560.0, 40.0)
    regions = [("ALB", 0.98, BOX), ("ALB", 0.97, part), ("YFT", 0.96, FAR), ("YFT", 0.6, doubtful)]
    result = image_result(box=(70.0, 40.0, 300.0, 190.0), regions=regions)
    assert result.prediction is not None
    crops = [sure_of(found.detection.species) for found in result.prediction.detections]
    named = [
        replace(found, crop_probabilities=tuple(crop))
        for found, crop in zip(result.prediction.detections, crops, strict=True)
    ]
    second = {"detections": tuple(named), "crop_probabilities": tuple(sure_of("ALB")), "crop_weight": 0.9}
    return replace(result, prediction=replace(result.prediction, **second))


def reviewed() -> ImageResult:
    """The model says ALB, a person with an odd name boxed a shark."""
    shark = LabelledBox(Box(1, 2, 30, 40), "SHARK")
    change = BoxChange(Change.ADDED, None, shark)
    said = Correction(
        "ab" * 32,
        ImageLabel("SHARK", (shark,)),
        CorrectionOutcome.CORRECTED,
        (change,),
        "=ana",
        "2024-05-06T07:08:09",
        "e",
        "m1",
    )
    return image_result("boat_1/0002.jpg", box=BOX, review=said)


def test_the_wanted_confidence_takes_the_place_of_the_answers_own() -> None:
    usual, lower = (export(min_confidence=least).answer(two_fish()) for least in (None, 0.5))

    assert usual is not None and [found.detection_id for found in usual.boxes] == [2, 4]
    assert lower is not None and [found.detection_id for found in lower.boxes] == [2, 4, 5]


def test_the_models_answers_alone_go_out_on_demand() -> None:
    first, alone = (export(truth=truth).answer(reviewed()) for truth in (True, False))

    assert first is not None and alone is not None
    assert (first.species, alone.species) == ("SHARK", "ALB")


def test_json_tells_everything_and_the_exact_name_where_it_is_no_text(tmp_path: Path) -> None:
    odd = image_result("a\\xff.jpg", relative=b"a\xff.jpg")

    as_json.write(tmp_path / "r.json", [two_fish(), odd, failed_result("torn.jpg")], export())

    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    first, second, third = document["images"]
    assert document["label_set"] == list(DEFAULT_LABEL_SET.names) and document["folder"] == "/fleet"
    assert (first["final_species"], first["answered_by"], first["flagged"]) == ("ALB", "model", False)
    assert [(found["species"], found["detection"]) for found in first["answer"]["boxes"]] == [("ALB", 2), ("YFT", 4)]
    detections = first["prediction"]["detections"]
    assert [found["answer"] for found in detections] == [False, True, False, True, False]
    assert "file_base64" not in first and base64.b64decode(second["file_base64"]) == b"a\xff.jpg"
    assert third == {
        "file": "torn.jpg",
        "state": "failed",
        "camera": "boat_1",
        "sha256": None,
        "width_px": None,
        "height_px": None,
        "captured_at": None,
        "latitude": None,
        "longitude": None,
        "camera_model": None,
        "camera_serial": None,
        "note": None,
        "final_species": None,
        "answered_by": None,
        "answer": None,
        "flagged": False,
        "review": None,
        "prediction": None,
        "reason": "broken",
        "failure": "broken: it ends too soon",
    }


def test_json_is_as_its_schema_in_docs_says(tmp_path: Path) -> None:
    schema = json.loads((Path(__file__).parents[4] / "docs" / "results.schema.json").read_text(encoding="utf-8"))
    odd = image_result("a\\xff.jpg", relative=b"a\xff.jpg")

    as_json.write(tmp_path / "r.json", [two_fish(), odd, reviewed(), failed_result("torn.jpg")], export())

    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    evaluate = jsonschema.Draft202012Validator(schema)
    evaluate.validate(document)
    del document["images"][0]["final_species"]
    assert not evaluate.is_valid(document)


def test_what_was_not_as_it_should_be_is_told_in_every_format_with_a_place_for_it(tmp_path: Path) -> None:
    noted = replace(two_fish(), note="it lacks its end: 7 rows are missing", captured_at="2024-05-06T07:08:09")
    out = tmp_path / "r"

    for name, write in (("json", as_json), ("csv", as_csv), ("coco", coco), ("traps", coco_camera_traps)):
        write.write(out.with_suffix(f".{name}"), [noted], export())
    camtrap_dp.write(out, [noted], export(position=(1.0, 2.0)))

    documents = [json.loads(out.with_suffix(f".{name}").read_text()) for name in ("json", "coco", "traps")]
    tables = [out.with_suffix(".csv"), out / "media.csv"]
    (csv_row,), (media_row,) = (csv.DictReader(table.read_text().splitlines()) for table in tables)
    told = [*(document["images"][0]["note"] for document in documents), csv_row["note"], media_row["mediaComments"]]
    assert told == ["it lacks its end: 7 rows are missing"] * 5


def test_a_persons_word_is_the_answer_and_what_the_model_says_stands_beside_it(tmp_path: Path) -> None:
    as_json.write(tmp_path / "r.json", [two_fish(), reviewed()], export())
    as_csv.write(tmp_path / "r.csv", [two_fish(), reviewed()], export())

    open_one, seen = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["images"]
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        open_row, seen_row = csv.DictReader(file)
    assert (open_one["review"], open_row["reviewed_by"], open_row["answered_by"]) == (None, "", "model")
    assert (seen["final_species"], seen["answered_by"], seen["prediction"]["species"]) == ("SHARK", "person", "ALB")
    assert seen["review"]["boxes"] == [{"species": "SHARK", "box": [1.0, 2.0, 30.0, 40.0]}]
    assert [found["box"] for found in seen["answer"]["boxes"]] == [[1.0, 2.0, 30.0, 40.0]]
    assert (seen_row["final_species"], seen_row["model_species"], seen_row["reviewed_by"]) == ("SHARK", "ALB", "'=ana")
    assert (seen_row["fish_by_species"], seen_row["p_SHARK"], seen_row["x_max"]) == ("SHARK:1", "1.0000", "30.0")


def test_csv_is_a_row_a_image_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    hostile = failed_result('=cmd|"/c calc"!A1.jpg', failure="@SUM(1)\nsecond line")

    as_csv.write(tmp_path / "r.csv", [two_fish(), hostile], export())

    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        good, bad = csv.DictReader(file)
    assert (good["final_species"], good["fish_by_species"]) == ("ALB", "ALB:1 YFT:1")
    assert (good["fish"], good["x_max"], good["p_ALB"]) == ("2", "320.0", "0.8600")
    assert (bad["file"], bad["state"], bad["final_species"]) == ('\'=cmd|"/c calc"!A1.jpg', "failed", "")
    assert bad["failure"] == "'@SUM(1)\nsecond line"


def test_kaggle_rows_sum_to_exactly_one_in_the_label_sets_order(tmp_path: Path) -> None:
    kaggle.write(tmp_path / "k.csv", [two_fish()], export())

    with (tmp_path / "k.csv").open(newline="") as file:
        header, row = csv.reader(file)
    assert header == ["image", "ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT"]
    assert row[0] == "boat_1/0001.jpg" and sum(map(Decimal, row[1:])) == 1
    assert Decimal(row[1]) == Decimal("0.86")


def test_coco_loads_in_pycocotools_and_its_detections_match_its_annotations(tmp_path: Path) -> None:
    empty = image_result("empty.jpg", species="NoF")

    coco.write(tmp_path / "c.json", [two_fish(), empty], export())

    dataset = COCO(str(tmp_path / "c.json"))
    found = dataset.loadRes(str(tmp_path / "c.detections.json"))
    assert [one["name"] for one in dataset.loadCats(dataset.getCatIds())] == list(FISH)
    assert [one["file_name"] for one in dataset.loadImgs([1, 2])] == ["boat_1/0001.jpg", "empty.jpg"]
    assert dataset.loadAnns([1])[0]["bbox"] == [64.0, 36.0, 256.0, 144.0]
    assert dataset.getAnnIds(imgIds=[2]) == []
    evaluated = COCOeval(dataset, found, "bbox")
    evaluated.evaluate()
    evaluated.accumulate()
    evaluated.summarize()
    assert evaluated.stats[1] == pytest.approx(1.0)


def test_coco_without_any_image_is_still_one(tmp_path: Path) -> None:
    coco.write(tmp_path / "c.json", [], export())

    assert COCO(str(tmp_path / "c.json")).getImgIds() == []
    assert json.loads((tmp_path / "c.detections.json").read_text()) == []


def test_megadetector_follows_the_rules_of_its_format(tmp_path: Path) -> None:
    megadetector.write(tmp_path / "m.json", [two_fish(), failed_result("torn.jpg"), image_result("e.jpg")], export())

    document = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    first, torn, empty = document["images"]
    assert document["info"]["format_version"] == "1.6"
    assert document["detection_categories"] == {"1": "fish"}
    assert list(document["classification_categories"].values()) == list(FISH)
    assert first["detections"][0] == {
        "category": "1",
        "conf": 0.98,
        "bbox": [0.1, 0.1, 0.4, 0.4],  # 64/640, 36/360, 256/640, 144/360
        "classifications": [["1", 0.8776]],  # the 0.86 that are left of 0.98 without "no fish"
    }
    assert [type(found["conf"]) for found in first["detections"]] == [float, float]
    assert torn == {"file": "torn.jpg", "detections": None, "failure": "broken: it ends too soon"}
    assert (empty["detections"], empty["datetime"]) == ([], "2024-03-02 01:02:03")


def test_yolo_has_a_line_a_fish_and_an_empty_file_for_background(tmp_path: Path) -> None:
    odd = image_result("x", relative=b"deep/a\xff.jpg", species="NoF")

    problems = yolo.write(tmp_path / "y", [two_fish(), odd], export(images=ImagesIn.NONE))

    labels = tmp_path / "y" / "labels"
    names = yaml.safe_load((tmp_path / "y" / "data.yaml").read_text())
    assert problems == [] and names["names"] == list(FISH) and names["nc"] == 7
    # ALB is class 0; centre ((64+320)/2/640, (36+180)/2/360), size (256/640, 144/360). YFT is class 6.
    lines = (labels / "boat_1" / "0001.txt").read_text().splitlines()
    assert lines[0] == "0 0.300000 0.300000 0.400000 0.400000" and lines[1].startswith("6 ")
    with open(os.path.join(os.fsencode(labels), b"deep", b"a\xff.txt")) as empty:
        assert empty.read() == ""


@pytest.mark.parametrize("images", [ImagesIn.COPY, ImagesIn.HARDLINK])
def test_yolo_has_each_image_where_its_readers_look_for_it(tmp_path: Path, images: ImagesIn) -> None:
    good, changed = (write_images(tmp_path / "fleet" / name, 1, seed=seed)[0] for seed, name in enumerate(("a", "b")))
    results = [
        image_result(f"{file.parent.name}/0000.jpg", box=BOX, file=os.fsencode(file), sha256=hash_of(file))
        for file in (good, changed)
    ]
    changed.write_bytes(b"other bytes")

    problems = yolo.write(tmp_path / "y", results, export(tmp_path / "fleet", images=images))

    brought = tmp_path / "y" / "images" / "a" / "0000.jpg"
    assert brought.read_bytes() == good.read_bytes() and not brought.is_symlink()
    assert brought.samefile(good) is (images is ImagesIn.HARDLINK)
    assert (tmp_path / "y" / "labels" / "a" / "0000.txt").is_file()
    assert problems == ["b/0000.jpg: changed since it was enqueued; enqueue its folder again"]
    assert not (tmp_path / "y" / "labels" / "b").exists()


def test_yolo_names_the_images_that_it_has_no_place_for(tmp_path: Path) -> None:
    duplicates = [image_result(name, box=BOX) for name in ("a.jpg", "a.png", "b" * 252 + "jpg")]

    problems = yolo.write(tmp_path / "y", duplicates, export(images=ImagesIn.NONE))

    assert [problem.split(":")[0] for problem in problems] == ["a.png", "b" * 252 + "jpg"]


def test_camtrap_dp_needs_a_position_and_tells_what_it_has_no_place_for(tmp_path: Path) -> None:
    timeless = image_result("timeless.jpg", captured_at=None)

    problems = camtrap_dp.write(tmp_path / "p", [two_fish(), timeless], export(position=(-21.5, 55.25)))

    assert problems == ["timeless.jpg: nothing tells when it was taken"]
    with pytest.raises(OutputError, match="--position LATITUDE,LONGITUDE"):
        camtrap_dp.write(tmp_path / "q", [two_fish()], export())


def test_camtrap_dp_takes_places_and_cameras_from_the_images(tmp_path: Path) -> None:
    told = [
        replace(
            image_result(f"boat_1/{number}.jpg", item_id=number), taken_with=TakenWith(-21.5, 55.25 + shift, "X", "7")
        )
        for number, shift in enumerate((0.0, 0.001, -0.001), start=1)
    ]
    untold = image_result("boat_2/e.jpg", item_id=9, camera="boat_2")

    camtrap_dp.write(tmp_path / "p", told, export())
    with pytest.raises(OutputError, match="the images of boat_2 do not say it; give --position LATITUDE,LONGITUDE"):
        camtrap_dp.write(tmp_path / "q", [*told, untold], export())
    camtrap_dp.write(tmp_path / "r", [*told, untold], export(position=(1.0, 2.0)))

    (alone,) = _rows(tmp_path / "p" / "deployments.csv")
    wanted = {
        "latitude": "-21.5",
        "longitude": "55.25",
        "coordinateUncertainty": "104",
        "cameraID": "7",
        "cameraModel": "X",
    }
    assert {name: alone[name] for name in wanted} == wanted
    package = json.loads((tmp_path / "r" / "datapackage.json").read_text(encoding="utf-8"))
    assert package["spatial"] == {"type": "MultiPoint", "coordinates": [[55.25, -21.5], [2.0, 1.0]]}


def test_every_format_for_machines_tells_where_and_with_what(tmp_path: Path) -> None:
    told = replace(image_result("a.jpg", box=BOX), taken_with=TakenWith(-21.5, 55.25, "=Maker X", "7"))
    wanted = {"latitude": -21.5, "longitude": 55.25, "camera_model": "=Maker X", "camera_serial": "7"}
    writers = {"coco": coco, "cct": coco_camera_traps, "md": megadetector, "json": as_json}
    for name, writer in writers.items():
        writer.write(tmp_path / f"{name}.json", [told], export())
        (image,) = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["images"]
        assert {key: image[key] for key in wanted} == wanted, name
    as_csv.write(tmp_path / "a.csv", [told], export())

    (row,) = _rows(tmp_path / "a.csv")

    assert [row[key] for key in wanted] == ["-21.5000000", "55.2500000", "'=Maker X", "7"]


def test_camtrap_dp_keeps_the_rules_of_its_tables(tmp_path: Path) -> None:
    """The constraints of version 1.0.2 by hand: keys, what is required, patterns and closed sets."""
    empty = image_result("boat_2/e.jpg", species="NoF", item_id=2, camera="boat_2")
    fish_somewhere = image_result("boat_2/f.jpg", item_id=3, camera="boat_2")
    images = [two_fish(), empty, fish_somewhere, replace(reviewed(), item_id=4)]

    camtrap_dp.write(tmp_path / "p", images, export(position=(-21.5, 55.25), utc_offset="+04:00"))

    package = json.loads((tmp_path / "p" / "datapackage.json").read_text(encoding="utf-8"))
    deployments, media, observations = (_rows(tmp_path / "p" / one["path"]) for one in package["resources"])
    assert package["profile"].endswith("/1.0.2/camtrap-dp-profile.json")
    assert [one["deploymentID"] for one in deployments] == ["boat_1", "boat_2"]
    assert {one["deploymentID"] for one in (*media, *observations)} <= {"boat_1", "boat_2"}
    assert {one["mediaID"] for one in observations} == {one["mediaID"] for one in media}
    for rows, key in ((deployments, "deploymentID"), (media, "mediaID"), (observations, "observationID")):
        assert len({row[key] for row in rows}) == len(rows)
    stamps = [one["timestamp"] for one in media] + [one["eventStart"] for one in observations]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+04:00", stamp) for stamp in stamps)
    assert all(re.fullmatch(r"(?=^[^./~])(^((?!\.{2}).)*$).*", one["filePath"]) for one in media)
    kinds = [(one["observationType"], one["scientificName"], one["bboxX"] != "") for one in observations]
    assert kinds == [
        ("animal", "ALB", True),
        ("animal", "YFT", True),
        ("blank", "", False),
        ("animal", "ALB", False),
        ("animal", "SHARK", True),
    ]
    assert [one["classificationMethod"] for one in observations] == [*["machine"] * 4, "human"]
    assert package["taxonomic"] == [{"scientificName": name} for name in ("ALB", "SHARK", "YFT")]


def test_labelme_and_ncfm_folders_are_read_by_our_own_readers_with_head_and_tail(tmp_path: Path) -> None:
    shark = LabelledBox(Box(1, 2, 30, 40), "SHARK", head_px=(3.0, 20.0), tail_px=(28.0, 21.0))
    said = replace(reviewed().review, label=ImageLabel("SHARK", (shark,)))  # type: ignore[type-var]
    result = image_result("boat_1/0002.jpg", review=said)

    labelme.write(tmp_path / "l", [result], export(images=ImagesIn.NONE))
    ncfm.write(tmp_path / "n", [result, image_result("e.jpg", species="NoF")], export())

    held = read_labelme(tmp_path / "l" / "boat_1" / "0002.json")
    assert [(shape.label, shape.shape_type) for shape in held.shapes] == [
        ("SHARK", "rectangle"),
        ("head", "point"),
        ("tail", "point"),
    ]
    records = [record for record in read_ncfm(tmp_path / "n", DEFAULT_LABEL_SET) if isinstance(record, RawRecord)]
    assert [(record.image_name, record.species, len(record.boxes)) for record in records] == [
        ("e.jpg", "NoF", 0),
        ("boat_1/0002.jpg", "SHARK", 1),
    ]


def test_what_megadetector_wrote_comes_back_as_labels(tmp_path: Path) -> None:
    megadetector.write(tmp_path / "m.json", [two_fish(), image_result("e.jpg", species="NoF")], export())

    first, empty = read_megadetector(tmp_path / "m.json", DEFAULT_LABEL_SET)

    assert isinstance(first, RawRecord) and isinstance(empty, RawRecord)
    assert [box.species for box in first.boxes] == ["ALB", "YFT"] and first.normalised
    assert first.boxes[0].xyxy == pytest.approx((0.1, 0.1, 0.5, 0.5))
    assert empty.boxes == ()


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize("write", [coco.write, yolo.write, labelme.write], ids=["coco", "yolo", "labelme"])
def test_a_fish_that_nobody_boxed_never_goes_out_as_no_fish(tmp_path: Path, write: Any) -> None:
    problems = write(tmp_path / "out", [image_result("f.jpg", species="BET")], export(images=ImagesIn.NONE))

    assert [problem.split(",")[0] for problem in problems] == ["f.jpg: shows BET"]


def test_a_writer_that_breaks_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    def broken() -> Iterator[ImageResult]:
        yield two_fish()
        raise RuntimeError("the database went away")

    (tmp_path / "r.csv").write_text("old")

    with pytest.raises(RuntimeError):
        as_csv.write(tmp_path / "r.csv", broken(), export())

    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("r.csv", "old")]


def test_a_folder_in_the_place_of_the_file_and_a_full_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    with pytest.raises(OutputError, match="is a folder"), new_file(tmp_path):
        pass
    with pytest.raises(OutputError, match="not empty"):
        yolo.write(tmp_path, [], export())
    with pytest.raises(OutputError, match=r"cannot be written \(No such file or directory\)"):
        as_csv.write(tmp_path / "no" / "such" / "r.csv", [], export())


def hash_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
