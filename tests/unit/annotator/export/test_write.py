"""Review folders: what lies in them, and that they appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from annotator.corrections.compare import compare
from annotator.errors import ExportError
from annotator.export.image_files import Images
from annotator.export.write import ExportItem, Outline, WrittenExport, safe_stem, write_export
from annotator.labelme.json_files import read_labelme
from db.domain.answers import AnswerBox, AnsweredBy, FinalAnswer
from db.domain.boxes import Box
from db.domain.corrections import CorrectionOutcome
from db.domain.species import DEFAULT_LABEL_SET

OUTLINE = Outline("BET", ((10.0, 5.0), (30.0, 5.0), (20.0, 15.0)))


def fish(number: int, *, species: str = "ALB", box: Box | None = None) -> AnswerBox:
    return AnswerBox(box or Box(4, 4, 20, 16), species, 0.71, 0.834, detection_id=number)


def image(path: Path, *, grey: int = 90, orientation: int = 1) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (40, 20), (grey, grey, grey)).save(path, format="JPEG", exif=exif)
    return os.fsencode(path)


def item(file: bytes, *boxes: AnswerBox, size: tuple[int, int] = (40, 20), image_id: int = 1) -> ExportItem:
    return ExportItem(
        image_id=image_id,
        sha256=hashlib.sha256(Path(os.fsdecode(file)).read_bytes()).hexdigest(),
        file=file,
        shown_path=os.path.basename(file).decode("utf-8", "replace"),
        camera="cam1",
        width_px=size[0],
        height_px=size[1],
        why="heads differ",
        answer=FinalAnswer(boxes[0].species if boxes else "NoF", AnsweredBy.MODEL, {}, boxes),
        others="box head: BET 0.60",
        outlines=(OUTLINE,),
    )


def export(out: Path, *items: ExportItem, images: Images = Images.COPY) -> WrittenExport:
    return write_export(out, items, export_id="e1", label_set=DEFAULT_LABEL_SET, images=images)


def test_the_answer_is_written_with_what_else_was_said_and_hidden_ids(tmp_path: Path):
    file = image(tmp_path / "fleet" / "IMG 1.JPG")

    export(tmp_path / "out", item(file, fish(7)))

    found = read_labelme(tmp_path / "out" / "00001_IMG_1.json")
    assert [(shape.label, shape.shape_type, shape.description) for shape in found.shapes] == [
        ("ALB", "rectangle", "fish 0.83, ALB 0.71; box head: BET 0.60; heads differ"),
        ("BET", "polygon", "heat map, not the answer"),
    ]
    assert found.shapes[0].extra == {"taffrail": {"shape": "a1", "detection": 7}}
    assert found.extra["taffrail"] == {"format": 1, "export": "e1", "item": 1, "sha256": item(file).sha256}
    assert dict(found.flags) == {"reviewed": False, "no_fish": False, "unsure": False}


def test_labelme_gets_its_label_and_flag_lists_and_the_folder_its_manifest(tmp_path: Path):
    export(tmp_path / "out", item(image(tmp_path / "a.jpg")))

    labels = (tmp_path / "out" / "labels.txt").read_text().split()
    assert labels == ["ALB", "BET", "DOL", "LAG", "OTHER", "SHARK", "YFT", "NoF", "head", "tail"]
    assert (tmp_path / "out" / "flags.txt").read_text().split() == ["reviewed", "no_fish", "unsure"]
    assert json.loads((tmp_path / "out" / ".taffrail-export.json").read_text())["export"] == "e1"


def test_what_was_written_compares_as_untouched(tmp_path: Path):
    outside = fish(9, box=Box(-5, -5, 50, 10))

    written = export(tmp_path / "out", item(image(tmp_path / "a.jpg"), fish(7), outside))

    edited = read_labelme(tmp_path / "out" / "00001_a.json")
    assert compare(written.items[0].state, edited, label_set=DEFAULT_LABEL_SET).outcome is CorrectionOutcome.UNTOUCHED


def test_a_turned_image_keeps_its_bytes_and_has_upright_sizes(tmp_path: Path):
    file = image(tmp_path / "turned.jpg", orientation=6)

    export(tmp_path / "out", item(file, size=(20, 40)))

    found = read_labelme(tmp_path / "out" / "00001_turned.json")
    assert (found.width_px, found.height_px) == (20, 40)
    assert (tmp_path / "out" / "00001_turned.jpg").read_bytes() == (tmp_path / "turned.jpg").read_bytes()


def test_equal_and_odd_names_survive_side_by_side(tmp_path: Path):
    files = [
        image(tmp_path / "a" / "0001.jpg", grey=1),
        image(tmp_path / "b" / "0001.jpg", grey=2),
        image(tmp_path / "c" / "тунец 魚.jpg", grey=3),
        image(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.jpg")), grey=4),
        image(tmp_path / "new\nline.jpg", grey=5),
        image(tmp_path / "no suffix", grey=6),
    ]

    written = export(tmp_path / "out", *(item(file) for file in files))

    assert [one.name for one in written.items] == [
        "00001_0001.jpg",
        "00002_0001.jpg",
        "00003_тунец_魚.jpg",
        "00004___.jpg",
        "00005_new_line.jpg",
        "00006_no_suffix.jpg",
    ]
    assert all((tmp_path / "out" / one.name).with_suffix(".json").is_file() for one in written.items)


@pytest.mark.parametrize("images", list(Images))
def test_the_original_is_never_written(tmp_path: Path, images: Images):
    file = image(tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").stat()

    export(tmp_path / "out", item(file), images=images)

    after = (tmp_path / "a.jpg").stat()
    shown = tmp_path / "out" / "00001_a.jpg"
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    assert shown.read_bytes() == (tmp_path / "a.jpg").read_bytes()
    assert (shown.is_symlink(), shown.samefile(tmp_path / "a.jpg")) == (
        images is Images.SYMLINK,
        images is not Images.COPY,
    )


def test_a_image_that_is_gone_or_changed_is_left_out_and_named(tmp_path: Path):
    gone, changed, good = (item(image(tmp_path / f"{name}.jpg")) for name in ("gone", "changed", "good"))
    (tmp_path / "gone.jpg").unlink()
    image(tmp_path / "changed.jpg", grey=200)

    written = export(tmp_path / "out", gone, changed, good)

    assert [one.name for one in written.items] == ["00003_good.jpg"]
    assert written.problems[0] == "gone.jpg: cannot be read (No such file or directory)"
    assert written.problems[1].startswith("changed.jpg: changed since it was enqueued")
    assert not (tmp_path / "out" / "00002_changed.jpg").exists()


def test_a_image_under_a_url_is_fetched_and_one_that_changed_is_left_out(tmp_path: Path):
    content = Path(os.fsdecode(image(tmp_path / "a.jpg"))).read_bytes()
    shown, changed = (
        replace(item(image(tmp_path / f"{name}.jpg")), file=b"s3://fleet/" + name.encode()) for name in ("a", "b")
    )

    written = write_export(
        tmp_path / "out",
        [shown, replace(changed, sha256="0")],
        export_id="e1",
        label_set=DEFAULT_LABEL_SET,
        images=Images.HARDLINK,
        fetch={b"s3://fleet/a": content, b"s3://fleet/b": content}.__getitem__,
    )

    assert [one.name for one in written.items] == ["00001_a.jpg"]
    assert (tmp_path / "out" / "00001_a.jpg").read_bytes() == content
    assert written.problems == ("b.jpg: changed since it was enqueued; enqueue its folder again",)


def test_no_image_at_all_is_an_error_and_leaves_nothing(tmp_path: Path):
    gone = item(image(tmp_path / "gone.jpg"))
    (tmp_path / "gone.jpg").unlink()

    with pytest.raises(ExportError, match="none of 1 images can be exported"):
        export(tmp_path / "out", gone)

    assert os.listdir(tmp_path) == []


def test_a_folder_that_holds_something_is_refused(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")

    with pytest.raises(ExportError, match="holds something already"):
        export(tmp_path / "out", item(image(tmp_path / "a.jpg")))

    assert os.listdir(tmp_path / "out") == ["mine.txt"]


def test_an_export_that_cannot_be_recorded_leaves_no_folder(tmp_path: Path):
    file = image(tmp_path / "a.jpg")

    def database_is_locked(_written: WrittenExport) -> None:
        raise RuntimeError("locked")

    with pytest.raises(RuntimeError, match="locked"):
        write_export(
            tmp_path / "out",
            [item(file)],
            export_id="e1",
            label_set=DEFAULT_LABEL_SET,
            before_visible=database_is_locked,
        )

    assert os.listdir(tmp_path) == ["a.jpg"]


def test_a_stem_is_short_even_for_a_name_of_255_bytes():
    assert len(safe_stem(b"x" * 251 + b".jpg")) == 48
