"""Plain labelme files: any shape's extent is a box, flags may say the species, nothing half-understood is no fish."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.label_formats.labelme import read_labelme_labels
from annotator.label_formats.records import RawBox
from annotator.labelme.shown import HIDDEN_KEY
from db.domain.species import DEFAULT_LABEL_SET as SPECIES
from tests.unit.annotator.label_formats.parts import boxes_of, parts, problem_texts, write_labelme

CORNERS = [[1.0, 2.0], [9.0, 2.0], [9.0, 8.0], [1.0, 8.0]]


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("rectangle", [[9, 8], [1, 2]]),
        ("polygon", CORNERS),
        ("line", [[1, 2], [9, 8]]),
        ("linestrip", [[1, 2], [4, 7], [9, 8]]),
        ("oriented_rectangle", CORNERS),
        ("rotation", CORNERS),
        ("points", CORNERS),
        ("mask", [[1, 2], [9, 8]]),
        ("circle", [[5, 5], [8, 5]]),
    ],
)
def test_any_shape_is_the_box_around_it(tmp_path: Path, kind: str, points: list[list[float]]) -> None:
    write_labelme(tmp_path / "a.json", (kind, "ALB", points), ("point", "tail", [[3, 3]]))

    (record,), problems = parts(read_labelme_labels(tmp_path, SPECIES))

    assert boxes_of(record) == (RawBox("ALB", (1, 2, 9, 8) if kind != "circle" else (2, 2, 8, 8)),)
    assert record.ends == (("tail", (3.0, 3.0)),) and problems == []


def test_a_fish_that_is_marked_with_a_point_leaves_its_image_out(tmp_path: Path) -> None:
    write_labelme(tmp_path / "a.json", ("rectangle", "ALB", [[9, 8], [1, 2]]), ("point", "YFT", [[3, 3]]))

    (record,), _ = parts(read_labelme_labels(tmp_path, SPECIES))

    assert problem_texts(record) == ["'YFT' is one point (point), wanted a shape around the fish"]


def test_a_review_export_and_an_unsure_file_are_refused(tmp_path: Path) -> None:
    write_labelme(tmp_path / "a.json", **{HIDDEN_KEY: {"export": "x"}})
    write_labelme(tmp_path / "b.json", flags={"unsure": True})

    records, problems = parts(read_labelme_labels(tmp_path, SPECIES))

    assert records == [] and "cli review import" in problems[0] and "unsure" in problems[1]


@pytest.mark.parametrize(
    ("flags", "species"),
    [
        ({"ALB": False, "yft": True}, "YFT"),
        ({"NoF": True}, "NoF"),
        ({"no_fish": True, "reviewed": True}, "NoF"),
        ({}, None),
    ],
    ids=["species", "NoF", "no_fish", "none"],
)
def test_flags_say_what_the_whole_image_shows(tmp_path: Path, flags: dict[str, bool], species: str | None) -> None:
    write_labelme(tmp_path / "a.json", flags=flags)

    (record,), _ = parts(read_labelme_labels(tmp_path, SPECIES))

    assert boxes_of(record) == () and record.species == species


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"ALB": True, "YFT": True}, "say ALB and YFT at once"),
        ({"blurred": True}, "'blurred' is set, which is no known species"),
        ({"ALB": False, "YFT": False}, "none of the species is set"),
    ],
    ids=["two", "unknown", "not answered"],
)
def test_flags_that_say_nothing_clear_leave_the_image_out(tmp_path: Path, flags: dict[str, bool], reason: str) -> None:
    write_labelme(tmp_path / "a.json", flags=flags)

    (record,), _ = parts(read_labelme_labels(tmp_path, SPECIES))

    assert len(record.problems) == 1 and reason in record.problems[0].text


def test_old_files_say_no_size_and_hidden_ones_are_none(tmp_path: Path) -> None:
    write_labelme(tmp_path / "v3.json", ("polygon", "ALB", CORNERS), imageHeight=..., imageWidth=...)
    write_labelme(tmp_path / "UP.JSON", ("polygon", "ALB", CORNERS), imageHeight="50", imageWidth="100")
    (tmp_path / "._v3.json").write_bytes(b"\x00\x05\x16\x07")

    (upper, old), problems = parts(read_labelme_labels(tmp_path, SPECIES))

    assert boxes_of(old) == boxes_of(upper) == (RawBox("ALB", (1, 2, 9, 8)),)
    assert (old.size_px, upper.size_px, problems) == (None, (100, 50), [])
