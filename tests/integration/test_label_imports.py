"""Imports of labels are revisions: the last one in force counts, and one that was wrong is taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from cli.main import app
from db.domain.boxes import Box
from db.domain.files import FoundFile
from db.domain.label_imports import ImportState
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.outcomes import SeenImage
from db.errors import NotFoundError
from db.migrate import migrate
from db.session import engine_for, reading, transaction
from db.settings import get_settings
from db.store.cameras import camera_images
from db.store.dataset_sources import said_entries
from db.store.images import unlabelled_places
from db.store.label_imports import begin_import, list_imports, undo_import
from db.store.labels import NewLabel, add_labels, hold_labels, labels_of, training_records
from tests.factories import write_images

ALB = ImageLabel("ALB", (LabelledBox(Box(10, 20, 110, 60), "ALB"),))
NONE = ImageLabel("NoF")
ROOT = b"/fleet"


def _new(number: int, label: ImageLabel) -> NewLabel:
    file = FoundFile(ROOT + b"/boat", b"%d.jpg" % number, 10, 1)
    return NewLabel(file, SeenImage(_sha256(number), 640, 360), label, "a.json[0]")


def _sha256(number: int) -> str:
    return f"{number:064x}"


def _import(engine: Engine, *labels: ImageLabel, path: str = "/a.json") -> int:
    with transaction(engine) as session:
        new = [_new(number, label) for number, label in enumerate(labels)]
        return add_labels(session, new, root=ROOT, source="coco", path=path)


def _in_force(engine: Engine, count: int = 2) -> list[ImageLabel | None]:
    with reading(engine) as session:
        found = labels_of(session, [_sha256(number) for number in range(count)])
    return [found.get(_sha256(number)) for number in range(count)]


def test_a_correct_file_brings_back_what_a_wrong_one_spoiled(engine: Engine) -> None:
    changed = [_import(engine, ALB, ALB), _import(engine, NONE, NONE), _import(engine, ALB, ALB)]

    assert changed == [2, 2, 2] and _in_force(engine) == [ALB, ALB]


def test_everything_that_reads_labels_reads_the_one_in_force(engine: Engine) -> None:
    _import(engine, NONE)
    _import(engine, ALB)
    _import(engine, NONE)

    with reading(engine) as session:
        (record,) = training_records(session)
        (entry,) = said_entries(session, weights={origin: 1.0 for origin in _origins()})
        (image,) = camera_images(session)
        assert (record.label, entry.label, image.species) == (NONE, NONE, "NoF")
        assert unlabelled_places(session, handed_out=True) == []


def test_undo_takes_the_last_import_back_and_then_the_one_before(engine: Engine) -> None:
    _import(engine, ALB, ALB, path="/good.json")
    _import(engine, NONE, path="/bad.json")

    with transaction(engine) as session:
        undone = undo_import(session)
    once = _in_force(engine)
    with transaction(engine) as session:
        undo_import(session)

    assert (undone.path, undone.counting) == ("/bad.json", 1)
    assert once == [ALB, ALB] and _in_force(engine) == [None, None]
    with reading(engine) as session:
        assert {one.state for one in list_imports(session)} == {ImportState.UNDONE}
        assert len(unlabelled_places(session, handed_out=True)) == 2


def test_an_earlier_import_can_be_taken_back_alone(engine: Engine) -> None:
    _import(engine, NONE, NONE)
    _import(engine, ALB)
    with reading(engine) as session:
        newest, first = list_imports(session)
    with transaction(engine) as session:
        undo_import(session, first.import_id)

    assert (first.images, first.counting, newest.counting) == (2, 1, 1)
    assert _in_force(engine) == [ALB, None]


def test_an_import_that_changes_nothing_is_no_revision(engine: Engine) -> None:
    assert [_import(engine, ALB), _import(engine, ALB)] == [1, 0]

    with reading(engine) as session:
        assert len(list_imports(session)) == 1


def test_an_import_that_was_cut_off_says_nothing(engine: Engine) -> None:
    _import(engine, ALB)
    with transaction(engine) as session:
        import_id = begin_import(session, source="coco", path="/b.json")
        hold_labels(session, [_new(0, NONE)], import_id=import_id, root=ROOT, source="coco")

    assert _in_force(engine, 1) == [ALB]
    with reading(engine) as session:
        assert list_imports(session)[0].state is ImportState.RUNNING


@pytest.mark.parametrize("number", [None, 7], ids=["none", "unknown"])
def test_what_cannot_be_taken_back_is_one_line(engine: Engine, number: int | None) -> None:
    with transaction(engine) as session, pytest.raises(NotFoundError, match="cli labels list"):
        undo_import(session, number)


def test_labels_from_before_are_one_import_with_the_newest_in_force(database_url: str) -> None:
    old = engine_for(database_url)
    migrate(old, revision="0011")
    with old.begin() as connection:
        connection.execute(text(f"INSERT INTO images (sha256) VALUES ('{_sha256(0)}'), ('{_sha256(1)}')"))
        label = "INSERT INTO labels (image_id, digest, species, source, place, created_at) VALUES "
        for image, digest, species in ((1, "a", "NoF"), (2, "a", "ALB"), (1, "b", "YFT")):
            connection.execute(
                text(f"{label} ({image}, '{digest}', '{species}', 'ncfm', '', '2024-05-06 07:08:09.000000')")
            )

    migrate(old)

    assert _in_force(old) == [ImageLabel("YFT"), ImageLabel("ALB")]
    with reading(old) as session:
        (one,) = list_imports(session)
    assert (one.state, one.images, one.source) == (ImportState.IN_FORCE, 2, "earlier")
    old.dispose()


def test_the_commands_import_list_and_undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    get_settings.cache_clear()
    write_images(tmp_path / "images" / "boat_01", 1)
    good, bad = (tmp_path / f"{name}.json" for name in ("good", "bad"))
    document = {"images": [{"id": 1, "file_name": "boat_01/0000.jpg"}], "annotations": []}
    bad.write_text(json.dumps(document))
    fish = {"image_id": 1, "category_id": 3, "bbox": [25, 30, 100, 50]}
    good.write_text(json.dumps(document | {"annotations": [fish], "categories": [{"id": 3, "name": "ALB"}]}))

    for file in (good, bad):
        words = ("--format", "coco", "--images", tmp_path / "images", "--cameras", "folder")
        assert _cli("import", file, *words).exit_code == 0
    listed = json.loads(_cli("list", "--json").stdout)
    undone = _cli("undo")

    assert [(one["import_id"], one["path"], one["counting"]) for one in listed] == [(2, str(bad), 1), (1, str(good), 0)]
    assert undone.stdout == "import 2 is taken back; 1 images go back to what was said before\n"
    assert [line.split()[3] for line in _cli("list").stdout.splitlines()] == ["undone", "in"]


def _origins() -> list[object]:
    from db.domain.datasets import EntryOrigin

    return list(EntryOrigin)


def _cli(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["labels", *(str(word) for word in words)])
