"""The competition's box files with the oddities that real ones have."""

from __future__ import annotations

import json
from pathlib import Path

from annotator.label_formats.ncfm import read_ncfm
from annotator.label_formats.records import RawBox
from db.domain.species import DEFAULT_LABEL_SET as SPECIES
from tests.unit.annotator.label_formats.parts import boxes_of, parts

RECT = {"class": "rect", "x": 10, "y": 20, "width": 30, "height": 40}


def test_rects_heads_and_tails_are_read_and_what_is_odd_leaves_its_image_out(tmp_path: Path) -> None:
    (tmp_path / "alb_labels.json").write_text(
        json.dumps(
            [
                {"filename": "../data/train/ALB/img_1.jpg", "class": "image", "annotations": [RECT]},
                {"filename": "img_2.jpg", "class": "image"},
                {"filename": "img_3.jpg", "annotations": [{"class": "Head", "x": "1", "y": 2}, RECT]},
                {"filename": "img_4.jpg", "annotations": [RECT, {"class": "rect", "x": 1}]},
                {"filename": "img_5.jpg", "annotations": {"0": RECT}},
                {"class": "image", "annotations": [RECT]},
            ]
        )
    )

    records, problems = parts(read_ncfm(tmp_path, SPECIES))

    assert [record.species for record in records] == ["ALB"] * 5
    assert boxes_of(records[0]) == (RawBox("ALB", (10, 20, 40, 60)),)
    assert boxes_of(records[1]) == ()
    assert boxes_of(records[2]) and records[2].ends == (("head", (1.0, 2.0)),)
    assert [str(problem).split("alb_labels.json ")[1] for record in records for problem in record.problems] == [
        "[3] annotations[1]: 'y' is None, wanted a number",
        "[4]: 'annotations' is no list",
    ]
    assert [problem.split("alb_labels.json ")[1] for problem in problems] == ["[5]: has no 'filename'"]


def test_a_file_that_is_no_species_and_one_that_is_torn_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("[]")
    (tmp_path / "YFT.json").write_text('[{"filename": ')

    records, problems = parts(read_ncfm(tmp_path, SPECIES))

    assert not records
    assert "not JSON at line 1" in problems[0] and "its name is no species" in problems[1]


def test_hidden_files_are_none_and_endings_count_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "._ALB.json").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "ALB.JSON").write_text(json.dumps([{"filename": "a.jpg", "annotations": [RECT]}]))

    records, problems = parts(read_ncfm(tmp_path, SPECIES))

    assert [record.image_name for record in records] == ["a.jpg"] and problems == []
