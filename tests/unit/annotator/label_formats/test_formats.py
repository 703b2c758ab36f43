"""Other tools' label files with the oddities that real ones have: what is repaired, what is left out, what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotator.label_formats.coco import read_coco
from annotator.label_formats.find_images import ImageFinder, ImageNotFound
from annotator.label_formats.labelme import read_labelme_labels
from annotator.label_formats.ncfm import read_ncfm
from annotator.label_formats.records import LabelFileError, RawBox, RawRecord, RecordProblem, Records
from annotator.label_formats.repair import Repaired, repair
from annotator.label_formats.yolo import read_yolo
from annotator.labelme.shown import HIDDEN_KEY
from db.domain.boxes import Box
from db.domain.files import FoundFile
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET as SPECIES


def test_ncfm_takes_rects_heads_and_tails_and_names_what_is_odd(tmp_path: Path) -> None:
    rect = {"class": "rect", "x": 10, "y": 20, "width": 30, "height": 40}
    (tmp_path / "alb_labels.json").write_text(
        json.dumps(
            [
                {"filename": "../data/train/ALB/img_1.jpg", "class": "image", "annotations": [rect]},
                {"filename": "img_2.jpg", "class": "image"},
                {
                    "filename": "img_3.jpg",
                    "annotations": [{"class": "Head", "x": 1, "y": 2}, {"class": "rect", "x": 1}],
                },
                {"class": "image", "annotations": [rect]},
            ]
        )
    )

    records, problems = _parts(read_ncfm(tmp_path, SPECIES))

    assert [(record.image_name, record.species) for record in records] == [
        ("../data/train/ALB/img_1.jpg", "ALB"),
        ("img_2.jpg", "ALB"),
        ("img_3.jpg", "ALB"),
    ]
    assert records[0].boxes == (RawBox("ALB", (10, 20, 40, 60)),)
    assert records[2].ends == (("head", (1.0, 2.0)),)
    assert [problem.split("alb_labels.json ")[1] for problem in problems] == [
        "[2] annotations[1]: img_3.jpg: 'y' is 'None', wanted a number; this box is left out",
        "[3]: has no 'filename'",
    ]


def test_ncfm_names_a_file_that_is_no_species_and_one_that_is_torn(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("[]")
    (tmp_path / "YFT.json").write_text('[{"filename": ')

    records, problems = _parts(read_ncfm(tmp_path, SPECIES))

    assert not records
    assert "not JSON at line 1" in problems[0] and "its name is no species" in problems[1]


def test_coco_gives_a_record_a_image_and_an_unannotated_one_shows_no_fish(tmp_path: Path) -> None:
    file = tmp_path / "coco.json"
    file.write_text(
        json.dumps(
            {
                "images": [
                    {"id": 1, "file_name": "a.jpg", "width": 100, "height": 50},
                    {"id": 2, "file_name": "b.jpg"},
                    {"id": 3},
                ],
                "annotations": [
                    {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]},
                    {"image_id": 1, "category_id": 8, "bbox": [1, 2, 3, 4]},
                    {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3]},
                    {"image_id": 9, "category_id": 7, "bbox": [1, 2, 3, 4]},
                ],
                "categories": [{"id": 7, "name": "shark"}],
            }
        )
    )

    records, problems = _parts(read_coco(file, SPECIES))

    assert [(record.image_name, record.size_px, record.boxes) for record in records] == [
        ("a.jpg", (100, 50), (RawBox("shark", (1, 2, 4, 6)),)),
        ("b.jpg", None, ()),
    ]
    assert [problem.removeprefix(f"{file} ") for problem in problems] == [
        "annotations[1]: category_id 8 is not in 'categories'",
        "annotations[2]: 'bbox' is '[1, 2, 3]', wanted [x, y, width, height]",
        "images[2]: has no 'file_name'",
        f"{file}: annotations of image id 9, which 'images' does not hold",
    ]


def test_yolo_reads_names_boxes_polygons_and_empty_files(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("nc: 2\nnames:\n  0: ALB\n  1: LAG\n")
    labels = tmp_path / "labels" / "boat_1"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text("1 0.5 0.5 0.2 0.4\n\n0 0.1 0.1 0.3 0.1 0.3 0.2\n")
    (labels / "b.txt").write_text("")
    (labels / "c.txt").write_text("5 0.5 0.5 0.2 0.4\n")

    records, problems = _parts(read_yolo(tmp_path, SPECIES))

    assert [record.image_name for record in records] == ["boat_1/a", "boat_1/b"]
    assert records[0].boxes[0].xyxy == pytest.approx((0.4, 0.3, 0.6, 0.7))
    assert records[0].boxes[1] == RawBox("ALB", (0.1, 0.1, 0.3, 0.2))
    assert problems == [f"{labels / 'c.txt'} line 1: class 5 has no name (known: 0 to 1); the image is left out"]


def test_yolo_without_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n")

    with pytest.raises(LabelFileError, match=r"found none of data\.yaml"):
        list(read_yolo(tmp_path, SPECIES))


def test_labelme_shapes_become_boxes_and_a_review_export_is_refused(tmp_path: Path) -> None:
    _labelme(tmp_path / "a.json", [("rectangle", "ALB", [[9, 8], [1, 2]]), ("point", "tail", [[3, 3]])])
    _labelme(tmp_path / "b.json", [("line", "ALB", [[9, 8], [1, 2]])])
    _labelme(tmp_path / "c.json", [], **{HIDDEN_KEY: {"export": "x"}})

    records, problems = _parts(read_labelme_labels(tmp_path, SPECIES))

    assert records[0].boxes == (RawBox("ALB", (1, 2, 9, 8)),) and records[0].ends == (("tail", (3.0, 3.0)),)
    assert "b.json shapes[0]: 'ALB' is a line" in problems[0]
    assert "cli review import" in problems[1]


def test_a_box_beyond_the_frame_is_cut_and_one_inside_out_is_turned() -> None:
    repaired = _repair(RawBox("alb", (90, 40, 120, 20)))

    assert repaired.label == ImageLabel("ALB", (LabelledBox(Box(90, 20, 100, 40), "ALB"),))
    assert len(repaired.notes) == 2 and not repaired.problems


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (RawBox("ALB", (200, 0, 300, 10)), "lies outside the image of 100 x 50 pixels"),
        (RawBox("ALB", (5, 5, 5, 10)), "is empty"),
        (RawBox("ALB", (float("inf"), 0, 1, 1)), "not a number"),
    ],
    ids=["outside", "empty", "infinite"],
)
def test_a_box_with_nothing_in_it_is_left_out_and_the_rest_stays(box: RawBox, reason: str) -> None:
    repaired = _repair(RawBox("ALB", (10, 10, 20, 20)), box)

    assert repaired.label == ImageLabel("ALB", (LabelledBox(Box(10, 10, 20, 20), "ALB"),))
    assert len(repaired.problems) == 1 and reason in repaired.problems[0]


def test_an_unknown_species_leaves_the_image_out_and_the_nearest_is_offered() -> None:
    repaired = _repair(RawBox("ALB", (10, 10, 20, 20)), RawBox("YTF", (0, 0, 5, 5)))

    assert repaired.label is None
    assert "did you mean YFT?" in repaired.problems[0]


def test_the_largest_fish_names_the_image_and_its_head_goes_to_the_nearest_box() -> None:
    small, large = RawBox("BET", (0, 0, 10, 10)), RawBox("YFT", (50, 10, 90, 40))
    raw = RawRecord("a.jpg", "a", boxes=(small, large), ends=(("head", (12.0, 5.0)),))

    label = repair(raw, width_px=100, height_px=50, label_set=SPECIES).label

    assert label is not None and label.species == "YFT"
    assert label.boxes[0].head_px == (12.0, 5.0) and label.boxes[1].head_px is None


def test_boxes_for_a_smaller_copy_are_scaled_and_for_another_shape_refused() -> None:
    raw = RawRecord("a.jpg", "a", boxes=(RawBox("ALB", (5, 5, 10, 10)),), size_px=(50, 25))

    scaled = repair(raw, width_px=100, height_px=50, label_set=SPECIES)
    turned = repair(raw, width_px=50, height_px=100, label_set=SPECIES)

    assert scaled.label is not None and scaled.label.boxes[0].box == Box(10, 10, 20, 20)
    assert turned.label is None and "written for 50 x 25 pixels" in turned.problems[0]


def test_a_name_is_found_by_its_folders_prefix_or_missing_ending() -> None:
    finder = _finder(b"boat_1/img.jpg", b"boat_2/img.jpg", b"boat_2/deep/one.png", b"n\xe9.jpg")

    assert finder.find("C:\\data\\boat_2\\img.jpg").folder == b"/r/boat_2"
    assert finder.find("../train/boat_1/img.jpg").folder == b"/r/boat_1"
    assert finder.find("one").name == b"one.png"
    assert finder.find("one.jpg").name == b"one.png"


@pytest.mark.parametrize(
    ("name", "reason"), [("img.jpg", "fits 2 images"), ("gone.jpg", "is not among"), ("../..", "names no file")]
)
def test_a_name_that_means_no_single_image_says_so(name: str, reason: str) -> None:
    with pytest.raises(ImageNotFound, match=reason):
        _finder(b"boat_1/img.jpg", b"boat_2/img.jpg").find(name)


def test_a_image_in_the_root_is_meant_by_its_bare_name() -> None:
    assert _finder(b"img.jpg", b"boat_2/img.jpg").find("img.jpg").folder == b"/r"


def _parts(records: Records) -> tuple[list[RawRecord], list[str]]:
    everything = list(records)
    return (
        [record for record in everything if isinstance(record, RawRecord)],
        [str(record) for record in everything if isinstance(record, RecordProblem)],
    )


def _repair(*boxes: RawBox) -> Repaired:
    return repair(RawRecord("a.jpg", "a", boxes=boxes), width_px=100, height_px=50, label_set=SPECIES)


def _finder(*paths: bytes) -> ImageFinder:
    parts = [(b"/r/" + path).rpartition(b"/") for path in paths]
    return ImageFinder([FoundFile(folder, name, 1, 1) for folder, _, name in parts], root=b"/r")


def _labelme(path: Path, shapes: list[tuple[str, str, list[list[float]]]], **extra: object) -> None:
    document = {
        "version": "6.3.1",
        "flags": {},
        "shapes": [{"shape_type": kind, "label": label, "points": points} for kind, label, points in shapes],
        "imagePath": path.with_suffix(".jpg").name,
        "imageData": None,
        "imageHeight": 50,
        "imageWidth": 100,
    }
    path.write_text(json.dumps(document | extra))
