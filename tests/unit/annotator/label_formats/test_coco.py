"""COCO files as tools really write them: what has one meaning is read, anything else leaves its image out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotator.label_formats.coco import read_coco
from annotator.label_formats.records import LabelFileError, RawBox, RecordNote
from db.domain.species import DEFAULT_LABEL_SET as SPECIES
from tests.unit.annotator.label_formats.parts import annotation, boxes_of, parts, problem_texts, write_coco

FISH = RawBox("ALB", (10, 20, 40, 30))


def test_an_image_without_annotations_shows_no_fish(tmp_path: Path) -> None:
    file = write_coco(tmp_path / "coco.json", [annotation()])

    (first, second), problems = parts(read_coco(file, SPECIES))

    assert boxes_of(first) == (FISH,) and first.size_px == (100, 50)
    assert boxes_of(second) == () and problems == []


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(annotation(1.0, 3.0), id="ids as pandas writes them"),
        pytest.param(annotation("1", "3"), id="ids as text"),
        pytest.param(annotation(bbox=["10", "20", "30.0", "10"]), id="box as text"),
        pytest.param(annotation(bbox=None, segmentation=[[10, 20, 40, 20, 40, 30, 10, 30]]), id="null box"),
        pytest.param(annotation(segmentation=[[10, 20, 40, 25, 15, 30]]), id="polygon"),
        pytest.param(annotation(segmentation=[10, 20, 40, 25, 15, 30]), id="polygon that is not in a list"),
        pytest.param(annotation(segmentation=[[10, 20, 20, 20, 15, 25], [30, 22, 40, 25, 32, 30]]), id="two polygons"),
        # Columns of 50 pixels: background to column 10 row 20, then ten rows a column, forty apart, to column 39.
        pytest.param(
            annotation(segmentation={"size": [50, 100], "counts": [520, *([10, 40] * 29), 10, 3020]}), id="mask"
        ),
        pytest.param(annotation(bbox=[20, 10, 10, 30], attributes={"rotation": 90.0}), id="CVAT's rotation"),
    ],
)
def test_what_has_one_meaning_is_read(tmp_path: Path, written: dict[str, object]) -> None:
    file = write_coco(tmp_path / "coco.json", [written])

    (first, _), problems = parts(read_coco(file, SPECIES))

    (box,) = boxes_of(first)
    assert box.species == "ALB" and box.xyxy == pytest.approx(FISH.xyxy)
    assert problems == []


def test_a_packed_mask_is_read_as_cocos_own_library_reads_it(tmp_path: Path) -> None:
    mask_tools = pytest.importorskip("pycocotools.mask")
    import numpy as np

    pixels = np.zeros((50, 100), dtype=np.uint8, order="F")
    pixels[20:30, 10:40] = 1
    pixels[25, 3:7] = 1
    packed = mask_tools.encode(pixels)
    written = annotation(segmentation={"size": packed["size"], "counts": packed["counts"].decode()})

    (first, _), _ = parts(read_coco(write_coco(tmp_path / "coco.json", [written]), SPECIES))

    assert boxes_of(first) == (RawBox("ALB", (3.0, 20.0, 40.0, 30.0)),)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        pytest.param(annotation(bbox=[1, 2, 3]), "'bbox' is '[1, 2, 3]'", id="three numbers"),
        pytest.param(annotation(bbox="10 20 30 10"), "'bbox' is '10 20 30 10'", id="a text"),
        pytest.param(annotation(bbox=None), "no 'bbox', and its 'segmentation' is None", id="no box at all"),
        pytest.param(annotation(segmentation=[[1, 2, 3, 4]]), "polygon of 4 values", id="a line"),
        pytest.param(annotation(segmentation={"size": [5, 5], "counts": [25]}), "empty mask", id="empty mask"),
        pytest.param(annotation(segmentation={"size": [5, 5], "counts": "\x00"}), "packed runs", id="packed nonsense"),
        pytest.param(annotation(1, 99), "category_id 99 is not in 'categories'", id="unknown category"),
        pytest.param(annotation(1, None), "category_id None", id="null category"),
        pytest.param(annotation(1, 3.5), "category_id 3.5", id="half a category"),
    ],
)
def test_an_annotation_that_cannot_be_used_leaves_its_whole_image_out(
    tmp_path: Path, written: dict[str, object], reason: str
) -> None:
    file = write_coco(tmp_path / "coco.json", [annotation(), written])

    (first, second), _ = parts(read_coco(file, SPECIES))

    assert len(first.problems) == 1 and reason in first.problems[0].text
    assert first.problems[0].place == f"{file} annotations[1]"
    assert boxes_of(second) == ()


@pytest.mark.parametrize("names", [["ALB", "YFT"], [None], [" "]], ids=["two names", "null", "blank"])
def test_a_category_without_one_name_names_nothing(tmp_path: Path, names: list[str | None]) -> None:
    categories = [{"id": 3, "name": name} for name in names]

    (first, _), _ = parts(read_coco(write_coco(tmp_path / "a.json", [annotation()], categories=categories), SPECIES))

    assert problem_texts(first) == ["category_id 3 has no name in 'categories', or two"]


def test_an_annotation_of_no_image_may_be_any_images_that_has_none(tmp_path: Path) -> None:
    file = write_coco(tmp_path / "coco.json", [annotation(), annotation(None)])

    (first, second), problems = parts(read_coco(file, SPECIES))

    assert boxes_of(first) == (FISH,)
    assert problem_texts(second) == ["has no annotations, but 1 name no image"]
    assert problems == [f"{file} annotations[1]: names no image (None)"]


def test_annotations_of_an_image_that_the_file_does_not_hold_may_be_any_images_too(tmp_path: Path) -> None:
    file = write_coco(tmp_path / "coco.json", [annotation(9)], images=[{"id": 1, "file_name": "a.jpg"}, {"id": 3}])

    (first,), problems = parts(read_coco(file, SPECIES))

    assert problem_texts(first) == ["has no annotations, but 1 name no image"] and first.size_px is None
    assert problems == [
        f"{file}: annotations of image id '9', which is no image's",
        f"{file} images[1]: has no 'file_name'",
    ]


def test_two_images_with_one_id_are_both_left_out(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": "1", "file_name": "b.jpg"}]

    records, _ = parts(read_coco(write_coco(tmp_path / "coco.json", [annotation()], images=images), SPECIES))

    assert [problem_texts(record) for record in records] == [["its id '1' is the id of 2 images"]] * 2


def test_annotation_ids_that_stand_twice_are_told_and_every_annotation_is_read(tmp_path: Path) -> None:
    other = {"id": 5, **annotation(bbox=[1, 1, 5, 5])}

    found = list(read_coco(write_coco(tmp_path / "coco.json", [{"id": 5, **annotation()}, other]), SPECIES))

    assert [note.text for note in found if isinstance(note, RecordNote)] == [
        "1 annotation ids stand more than once (5); all were read"
    ]
    assert len(boxes_of(parts(iter(found))[0][0])) == 2


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        pytest.param(..., "missing", id="image_info files"),
        pytest.param(None, "None", id="null"),
        pytest.param({"1": annotation()}, "'a dict'", id="an object"),
    ],
)
def test_a_file_without_a_list_of_annotations_says_nothing_of_any_image(
    tmp_path: Path, annotations: object, found: str
) -> None:
    file = write_coco(tmp_path / "coco.json", annotations)

    with pytest.raises(LabelFileError) as raised:
        list(read_coco(file, SPECIES))

    assert str(raised.value).startswith(f"{file}: 'annotations' is {found}, wanted a list")


def test_annotations_without_categories_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="'categories' is missing"):
        list(read_coco(write_coco(tmp_path / "coco.json", [annotation()], categories=...), SPECIES))


@pytest.mark.parametrize(
    ("width", "size"),
    [("100", (100, 50)), (100.0, (100, 50)), (None, None), (0, None)],
    ids=["text", "1.0", "null", "0"],
)
def test_sizes_are_read_as_ids_are(tmp_path: Path, width: object, size: tuple[int, int] | None) -> None:
    images = [{"id": 1, "file_name": "a.jpg", "width": width, "height": 50}]

    (first,), _ = parts(read_coco(write_coco(tmp_path / "coco.json", [annotation()], images=images), SPECIES))

    assert boxes_of(first) == (FISH,) and first.size_px == size


def test_a_size_that_is_none_leaves_the_image_out(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg", "width": "wide", "height": 50}]

    (first,), _ = parts(read_coco(write_coco(tmp_path / "coco.json", [annotation()], images=images), SPECIES))

    assert problem_texts(first) == ["its size is 'wide' x 50, wanted pixels"]


@pytest.mark.parametrize("name", ["annotations", "objects", "bbox"])
def test_boxes_that_are_written_into_their_image_never_make_it_no_fish(tmp_path: Path, name: str) -> None:
    images = [{"id": 1, "file_name": "a.jpg", name: [{"bbox": [10, 20, 30, 10], "category_id": 3}]}]
    file = tmp_path / "coco.json"
    file.write_text(json.dumps({"images": images, "annotations": [], "categories": [{"id": 3, "name": "ALB"}]}))

    (record,), _ = parts(read_coco(file, SPECIES))

    (text,) = problem_texts(record)
    assert f"has {name!r} of its own" in text
