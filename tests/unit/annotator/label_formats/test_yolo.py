"""YOLO text files: boxes, polygons, poses and tracks are told apart, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.label_formats.records import LabelFileError, RawBox, RawRecord
from annotator.label_formats.yolo import read_yolo
from db.domain.species import DEFAULT_LABEL_SET as SPECIES
from tests.unit.annotator.label_formats.parts import boxes_of, parts, problem_texts

NAMES = "names: [ALB, LAG]\n"
MIDDLE = "0.5 0.5 0.2 0.2"
# Three points none of which can be the centre of a box within the image.
TRIANGLE = "0 0.1 0.1 0.3 0.1 0.3 0.2"


def _read(folder: Path, files: dict[str, str], *, yaml: str = NAMES) -> tuple[list[RawRecord], list[str]]:
    (folder / "data.yaml").write_text(yaml)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return parts(read_yolo(folder, SPECIES))


def test_boxes_polygons_and_empty_files(tmp_path: Path) -> None:
    records, problems = _read(
        tmp_path,
        {
            "labels/boat_1/a.txt": f"1 0.5 0.5 0.2 0.4\n\n{TRIANGLE}\n",
            "labels/boat_1/b.txt": "",
            "labels/boat_1/c.txt": "5 0.5 0.5 0.2 0.4\n",
        },
    )

    assert [record.image_name for record in records] == ["images/boat_1/a", "images/boat_1/b", "images/boat_1/c"]
    assert records[0].boxes[0].xyxy == pytest.approx((0.4, 0.3, 0.6, 0.7))
    assert records[0].boxes[1] == RawBox("ALB", (0.1, 0.1, 0.3, 0.2))
    assert boxes_of(records[1]) == () and problems == []
    assert problem_texts(records[2]) == ["class 5 has no name (known: 0 to 1)"]


@pytest.mark.parametrize("visible", ["", " 2"], ids=["x y", "x y visibility"])
def test_kpt_shape_tells_poses_whose_points_are_head_and_tail(tmp_path: Path, visible: str) -> None:
    shape = f"kpt_shape: [2, {3 if visible else 2}]\n"

    (record,), _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE} 0.41 0.5{visible} 0.59 0.5{visible}"}, yaml=NAMES + shape)

    (box,) = boxes_of(record)
    assert box.xyxy == pytest.approx((0.4, 0.4, 0.6, 0.6))
    assert box.ends == (("head", (0.41, 0.5)), ("tail", (0.59, 0.5)))


def test_named_key_points_and_hidden_ones(tmp_path: Path) -> None:
    yaml = NAMES + "kpt_shape: [3, 3]\nkpt_names:\n  0: [fin, tail, head]\n"

    (record,), _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE} 0.5 0.5 2 0.59 0.5 1 0 0 0"}, yaml=yaml)

    assert boxes_of(record)[0].ends == (("tail", (0.59, 0.5)),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(f"0 {MIDDLE} 0.93 17", "no box and no polygon", id="track"),
        pytest.param(f"0 {MIDDLE} 0.93 1", "a polygon or a track", id="track 1"),
        pytest.param(f"0 {MIDDLE} 0.41 0.5 0.59 0.5", "a polygon or a pose", id="pose"),
        pytest.param(f"0 {MIDDLE} 0.41 0.5 2 0.59 0.5 2", "no box and no polygon", id="pose with visibility"),
        pytest.param(
            f"0 {MIDDLE} 0.41 0.5 1 0.59 0.5 1", "a polygon or a pose", id="pose all of whose points are hidden"
        ),
        pytest.param("0 320 180 60 40", "wanted shares of the image", id="pixels"),
        pytest.param("0.7 0.5 0.5 0.2 0.2", "wanted `class x y width height`", id="half a class"),
        pytest.param("-1 0.5 0.5 0.2 0.2", "wanted `class x y width height`", id="class below zero"),
        pytest.param("ALB 0.5 0.5 0.2 0.2", "wanted `class x y width height`", id="a name"),
        pytest.param("0", "wanted `class x y width height`", id="class alone"),
    ],
)
def test_a_row_that_may_mean_two_things_or_none_leaves_its_image_out(tmp_path: Path, row: str, reason: str) -> None:
    (record,), _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE}\n{row}\n"})

    assert len(record.problems) == 1 and reason in record.problems[0].text
    assert record.problems[0].place == f"{tmp_path / 'a.txt'} line 2"


def test_a_row_that_does_not_fit_kpt_shape_is_refused(tmp_path: Path) -> None:
    (record,), _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE} 0.93 17"}, yaml=NAMES + "kpt_shape: [2, 2]\n")

    assert "wanted 8: x y width height and 2 points" in record.problems[0].text


def test_a_row_that_may_be_a_pose_is_a_polygon_where_others_can_be_nothing_else(tmp_path: Path) -> None:
    first, _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE} 0.41 0.5 0.59 0.5", "b.txt": TRIANGLE})[0]

    assert boxes_of(first) == (RawBox("ALB", (0.2, 0.2, 0.59, 0.5)),)


def test_a_turned_rectangle_is_four_corners(tmp_path: Path) -> None:
    (record,), _ = _read(tmp_path, {"a.txt": "0 0.5 0.4 0.6 0.5 0.5 0.6 0.4 0.5"})

    assert boxes_of(record) == (RawBox("ALB", (0.4, 0.4, 0.6, 0.6)),)


def test_a_confidence_is_left_aside_with_a_note(tmp_path: Path) -> None:
    (record,), _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE} 0.93"})

    assert len(boxes_of(record)) == 1 and record.notes == ("line 1: its confidence is left aside",)


def test_an_empty_line_of_a_class_file_is_a_class_as_its_tools_count(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("ALB\n\nLAG\n\n")
    (tmp_path / "a.txt").write_text(f"2 {MIDDLE}\n")
    (tmp_path / "b.txt").write_text(f"1 {MIDDLE}\n")

    (lag, unnamed), _ = parts(read_yolo(tmp_path, SPECIES))

    assert boxes_of(lag)[0].species == "LAG"
    assert problem_texts(unnamed) == ["class 1 has no name (known: 0 to 2)"]


def test_readmes_lists_and_hidden_files_are_no_labels(tmp_path: Path) -> None:
    row = f"0 {MIDDLE}"
    files = {
        "README.dataset.txt": "fish > v1",
        "train.txt": "data/obj_train_data/a.jpg\n",
        "obj_train_data/A.TXT": row,
        "obj_train_data/._A.txt": "\x00\x05",
        ".cache/b.txt": row,
    }

    records, problems = _read(tmp_path, files)

    assert [record.image_name for record in records] == ["obj_train_data/A"] and problems == []


def test_splits_pair_as_their_tools_pair_them(tmp_path: Path) -> None:
    records, _ = _read(tmp_path, {f"{split}/labels/0000.txt": f"0 {MIDDLE}" for split in ("train", "valid")})

    assert [record.image_name for record in records] == ["train/images/0000", "valid/images/0000"]


def test_a_set_without_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"0 {MIDDLE}\n")

    with pytest.raises(LabelFileError, match=r"found none of data\.yaml"):
        list(read_yolo(tmp_path, SPECIES))


@pytest.mark.parametrize(
    ("yaml", "reason"),
    [
        ("names: {0: ALB, 0: LAG}", "'0' stands twice"),
        ("names: {0: ALB, 0.0: LAG}", "a class has two names"),
        ("names: [ALB]\nnames: [LAG]", "'names' stands twice"),
        ("names: {ALB: 0}", "as the number of a class"),
        ("kpt_shape: [2, 2]", "found no names"),
        ("names: [ALB]\nkpt_shape: [2, 7]", "'kpt_shape' is no"),
    ],
)
def test_names_that_contradict_are_refused(tmp_path: Path, yaml: str, reason: str) -> None:
    with pytest.raises(LabelFileError, match=r"wanted `names:`") as raised:
        _read(tmp_path, {"a.txt": f"0 {MIDDLE}"}, yaml=yaml)

    assert reason in str(raised.value)


@pytest.mark.parametrize("line", ["date: !!timestamp x", "date: 2021-02-30", "count: !!int ''", "share: !!float ''"])
def test_what_yaml_would_make_of_other_keys_costs_nothing(tmp_path: Path, line: str) -> None:
    (record,), _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE}"}, yaml=f"{NAMES}{line}\n")

    assert len(boxes_of(record)) == 1


def test_a_species_called_no_is_no_truth_value(tmp_path: Path) -> None:
    (record,), _ = _read(tmp_path, {"a.txt": f"0 {MIDDLE}"}, yaml="names: [NO]\n")

    assert boxes_of(record)[0].species == "NO"


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(f"0 {MIDDLE} 1.57", id="an angle"),
        pytest.param(f"0 {MIDDLE} -0.2", id="below 0"),
        pytest.param("0 0.93 0.5 0.5 0.2 0.2", id="the confidence stands first"),
    ],
)
def test_a_fifth_number_that_is_no_confidence_leaves_the_image_out(tmp_path: Path, row: str) -> None:
    (record,), _ = _read(tmp_path, {"a.txt": row})

    (text,) = problem_texts(record)
    assert "and a confidence" in text
