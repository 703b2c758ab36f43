"""Labelme files: the round trip, and what hostile ones are answered with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.errors import LabelmeError
from annotator.labelme import json_files as labelme_json
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, read_labelme, write_labelme

SHAPE = {"label": "ALB", "points": [[1, 2], [30, 40]], "shape_type": "rectangle"}

names = st.text(max_size=12)
points = st.tuples(st.floats(-640, 1280), st.floats(-360, 720))
keys = st.text(min_size=1, max_size=8).map(lambda text: "x" + text)
shapes = st.builds(
    LabelmeShape,
    label=names,
    points_px=st.lists(points, min_size=1, max_size=4).map(tuple),
    shape_type=st.sampled_from(["rectangle", "polygon", "point"]),
    description=names,
    group_id=st.none() | st.integers(0, 9),
    flags=st.dictionaries(names, st.booleans(), max_size=2),
    extra=st.dictionaries(keys, st.integers() | names | st.lists(st.integers(), max_size=2), max_size=2),
)
files = st.builds(
    LabelmeFile,
    image_path=names,
    width_px=st.just(640),
    height_px=st.just(360),
    shapes=st.lists(shapes, max_size=3).map(tuple),
    flags=st.dictionaries(names, st.booleans(), max_size=3),
    extra=st.dictionaries(keys, names, max_size=2),
)


def document(**changes: object) -> str:
    whole = {
        "version": "6.3.1",
        "flags": {},
        "shapes": [SHAPE],
        "imagePath": "0001.jpg",
        "imageData": None,
        "imageHeight": 360,
        "imageWidth": 640,
    }
    return json.dumps({**whole, **changes})


def shape_with(**changes: object) -> list[dict[str, object]]:
    return [SHAPE, {**SHAPE, **changes}]


@given(content=files)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back_whole(tmp_path: Path, content: LabelmeFile):
    write_labelme(tmp_path / "0001.json", content)

    assert read_labelme(tmp_path / "0001.json") == content
    assert os.listdir(tmp_path) == ["0001.json"]


def test_the_keys_that_labelme_insists_on_are_written(tmp_path: Path):
    write_labelme(tmp_path / "a.json", LabelmeFile("a.jpg", 640, 360, (LabelmeShape("ALB", ((1.0, 2.0),), "point"),)))

    written = json.loads((tmp_path / "a.json").read_text())

    assert written["imageData"] is None and (written["imageWidth"], written["imageHeight"]) == (640, 360)
    assert set(written["shapes"][0]) == {
        "label", "points", "group_id", "description", "shape_type", "flags", "mask",
    }  # fmt: skip


def test_a_file_without_labelmes_newer_keys_is_read(tmp_path: Path):
    (tmp_path / "a.json").write_text(document(flags=None))

    found = read_labelme(tmp_path / "a.json")

    assert found.shapes == (LabelmeShape("ALB", ((1.0, 2.0), (30.0, 40.0)), "rectangle"),)


def test_what_labelme_7_adds_is_kept(tmp_path: Path):
    (tmp_path / "a.json").write_text(document(version="7.9.1", shapes=[{**SHAPE, "mask": None, "locked": True}]))

    write_labelme(tmp_path / "b.json", read_labelme(tmp_path / "a.json"))

    written = json.loads((tmp_path / "b.json").read_text())
    assert (written["version"], written["shapes"][0]["locked"]) == ("7.9.1", True)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.json"
    write_labelme(path, LabelmeFile("old.jpg", 640, 360))

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_labelme(path, LabelmeFile("new.jpg", 640, 360))

    assert read_labelme(path).image_path == "old.jpg"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", "torn or not JSON at line 1", id="empty"),
        pytest.param(document()[:-30], "torn or not JSON", id="torn"),
        pytest.param("[1, 2]", "found list, wanted a JSON object", id="a list"),
        pytest.param("[" * 200_000, "nested too deeply", id="deep"),
        pytest.param(document(imageWidth=float("nan")), "found NaN", id="NaN"),
        pytest.param('{"a": ' + "9" * 5000 + "}", "Exceeds the limit", id="a number of 5,000 digits"),
        pytest.param(document(imageHeight=None), "imageHeight is 'None'", id="no height"),
        pytest.param(document(imageWidth=True), "imageWidth is 'True'", id="a boolean width"),
        pytest.param(document(imagePath=3), "'imagePath' is missing or no text", id="no image"),
        pytest.param(document(shapes={}), "no list of at most 10000 shapes", id="no shapes"),
        pytest.param(document(flags={"reviewed": 1}), "a flag is neither true nor false", id="flag"),
        pytest.param(document(shapes=shape_with(label=None)), r"shapes\[1\]: 'label' is missing", id="no label"),
        pytest.param(document(shapes=[SHAPE, 7]), r"shapes\[1\]: found int, wanted a shape", id="no shape"),
        pytest.param(document(shapes=shape_with(points=[])), r"shapes\[1\]: found no list of 1", id="no points"),
        pytest.param(document(shapes=shape_with(group_id="a")), r"shapes\[1\]: group_id", id="group"),
        pytest.param(document(shapes=shape_with(points=[[1, 2, 3]])), r"points\[0\]: wanted \[x, y\]", id="3D"),
        pytest.param(document(shapes=shape_with(points=[["1", 2]])), "found '1', wanted a number", id="text point"),
        pytest.param(document(shapes=shape_with(points=[[10**400, 2]])), "wanted a finite number", id="huge integer"),
        pytest.param(document(shapes=shape_with(points=[[1e7, 2]])), "far outside the image", id="far away"),
        pytest.param(document().replace("30", "1e999"), r"shapes\[0\] points\[1\]: wanted a finite", id="1e999"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_place(tmp_path: Path, text: str, found: str):
    path = tmp_path / "bad.json"
    path.write_text(text)

    with pytest.raises(LabelmeError, match=rf"bad\.json.*{found}"):
        read_labelme(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    (tmp_path / "bad.json").write_bytes(b'{"version": "\xff"}')

    with pytest.raises(LabelmeError, match="not UTF-8 at byte 13"):
        read_labelme(tmp_path / "bad.json")


def test_an_enormous_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(labelme_json, "MAX_FILE_MIB", 1)
    with (tmp_path / "big.json").open("wb") as file:
        file.truncate(2 * 1024 * 1024)

    with pytest.raises(LabelmeError, match="larger than 1 MiB"):
        read_labelme(tmp_path / "big.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_hold_the_reader_up(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.json")

    with pytest.raises(LabelmeError, match="torn or not JSON"):
        read_labelme(tmp_path / "pipe.json")


def test_a_folder_named_like_a_file_is_refused(tmp_path: Path):
    (tmp_path / "folder.json").mkdir()

    with pytest.raises(LabelmeError, match="cannot be read"):
        read_labelme(tmp_path / "folder.json")
