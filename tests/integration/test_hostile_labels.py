"""A hostile label file costs its own records only: the good one beside it comes in, the others are named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine

from annotator.label_formats.import_labels import ImportOptions, LabelFormat, LabelImport, import_labels
from annotator.label_formats.records import LabelFileError
from annotator.label_formats.yolo import read_yolo
from db.domain.files import FoundFile
from db.domain.outcomes import SeenImage
from db.domain.species import DEFAULT_LABEL_SET, LabelSet, label_set_of_names
from tests.hostile.label_files import BOXES, NO_DOCUMENTS, alias_bomb, write_coco, write_labelme, write_ncfm, write_yolo

Write = Callable[[Path], Path | None]


@pytest.mark.parametrize(
    ("label_format", "write"),
    [
        pytest.param(LabelFormat.NCFM, write_ncfm, id="ncfm"),
        pytest.param(LabelFormat.COCO, write_coco, id="coco"),
        pytest.param(LabelFormat.LABELME, write_labelme, id="labelme"),
        pytest.param(LabelFormat.YOLO, write_yolo, id="yolo"),
    ],
)
def test_the_good_record_comes_in_and_the_others_are_named(
    engine: Engine, tmp_path: Path, label_format: LabelFormat, write: Write
) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    path = write(folder) or folder

    done = _import(engine, path, label_format, images=("fish", *BOXES, "head"))

    assert done.species["ALB"] >= 1, done
    assert done.boxes >= 1
    assert len(done.problems) >= len(BOXES)
    assert all("\n" not in problem and len(problem) < 1_000 for problem in done.problems), done.problems


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in NO_DOCUMENTS.items()])
def test_a_coco_file_that_is_none_is_one_line(engine: Engine, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "coco.json"
    file.write_bytes(content)

    with pytest.raises(LabelFileError) as raised:
        _import(engine, file, LabelFormat.COCO, images=("fish",))

    assert str(raised.value).startswith(str(file)) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(alias_bomb(), id="alias bomb"),
        pytest.param("names: " + "[" * 20_000, id="deep"),
        pytest.param("names: !!python/object/apply:os.system ['touch harm']", id="code"),
        pytest.param("names: 7", id="no list"),
    ],
)
def test_names_of_yolo_that_are_none_are_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)

    with pytest.raises(LabelFileError, match=r"wanted `names:`|nested too deeply") as raised:
        list(read_yolo(tmp_path, DEFAULT_LABEL_SET))

    assert len(str(raised.value)) < 1_000


def _import(
    engine: Engine,
    path: Path,
    label_format: LabelFormat,
    *,
    images: tuple[str, ...],
    decide: Callable[[Mapping[str, int]], LabelSet] | None = None,
) -> LabelImport:
    root = b"/images"
    files = [FoundFile(root, f"{name}.png".encode(), 100, number) for number, name in enumerate(images)]
    numbers = {file.name: number for number, file in enumerate(files)}
    options = ImportOptions(
        path,
        label_format,
        root,
        DEFAULT_LABEL_SET,
        lambda file: SeenImage(f"{numbers[file.name]:064x}", 80, 40),
        decide,
    )
    return import_labels(engine, options, files)


IMPOSSIBLE = {
    "long": "x" * 65,
    "escape": "A\x1b[31mB",
    "line": "a\nb",
    "NUL": "A\x00",
    "comma": "cod, hake",
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("name", [pytest.param(name, id=what) for what, name in IMPOSSIBLE.items()])
def test_a_text_that_can_name_no_species_costs_its_own_image_only(engine: Engine, tmp_path: Path, name: str) -> None:
    file = tmp_path / "coco.json"
    names = ("ALB", name)
    document = {
        "images": [{"id": number, "file_name": f"{number}.png"} for number in range(2)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [
            {"id": number, "image_id": number, "category_id": number, "bbox": [1, 1, 20, 10]} for number in range(2)
        ],
    }
    file.write_text(json.dumps(document))

    done = _import(engine, file, LabelFormat.COCO, images=("0", "1"), decide=label_set_of_names)

    assert (done.labelled, done.left_out, dict(done.species)) == (1, 1, {"ALB": 1})
    (problem,) = done.problems
    assert "is no name of a species; wanted 1 to 64 letters" in problem and problem.isprintable()


def test_a_folder_that_can_name_no_species_is_left_out_by_name(engine: Engine, tmp_path: Path) -> None:
    done = import_labels(
        engine,
        ImportOptions(
            Path("/images"),
            LabelFormat.FOLDERS,
            b"/images",
            DEFAULT_LABEL_SET,
            lambda file: SeenImage(f"{file.size_bytes:064x}", 80, 40),
            decide=label_set_of_names,
        ),
        [FoundFile(b"/images/cod", b"a.png", 1, 0), FoundFile(b"/images/cod, hake", b"b.png", 2, 0)],
    )

    assert dict(done.species) == {"cod": 1}
    assert done.problems == ["/images/cod, hake/b.png: is in no folder that is named like a species"]
