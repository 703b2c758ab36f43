"""A review from export to store: what comes back, and what is left out with its reason."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from annotator.corrections import import_corrections
from annotator.corrections.import_corrections import ImportSummary, import_reviews
from annotator.errors import ImportRefused
from annotator.export.write import ExportItem, WrittenExport, write_export
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, read_labelme, write_labelme
from annotator.labelme.shown import shape_to_json
from db.domain.answers import AnswerBox, AnsweredBy, FinalAnswer
from db.domain.boxes import Box
from db.domain.corrections import Change, CorrectionOutcome
from db.domain.species import DEFAULT_LABEL_SET
from db.migrate import open_database
from db.session import reading, transaction
from db.store.reviews import NewReviewItem, current_corrections, get_export, history_of, record_export
from db.tables.images import ImageRow
from db.tables.models import ModelVersionRow


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    with transaction(engine) as session:
        session.add(
            ModelVersionRow(id="m1", state="champion", sha256="0", card={}, note="", created_at=datetime.now(UTC))
        )
    return engine


@pytest.fixture
def out(tmp_path: Path, engine: Engine) -> Path:
    """An export of three images: one box of ALB each, shown by the box head."""
    export(tmp_path / "out", engine=engine, fleet=tmp_path / "fleet")
    return tmp_path / "out"


def export(out: Path, *, engine: Engine, fleet: Path, export_id: str = "e1") -> None:
    items = [exported_image(fleet / f"{number}.jpg", number, engine=engine) for number in (1, 2, 3)]

    def record(written: WrittenExport) -> None:
        new = [
            NewReviewItem(
                number=one.number,
                image_id=one.item.image_id,
                prediction_id=None,
                at_random=False,
                why=one.item.why,
                width_px=one.item.width_px,
                height_px=one.item.height_px,
                shapes=tuple(map(shape_to_json, one.state.shapes)),
            )
            for one in written.items
        ]
        with transaction(engine) as session:
            record_export(
                session, new, export_id=export_id, folder=os.fsencode(out), model_version="m1", flag_below=0.5
            )

    write_export(out, items, export_id=export_id, label_set=DEFAULT_LABEL_SET, before_visible=record)


def exported_image(path: Path, number: int, *, engine: Engine) -> ExportItem:
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        Image.new("RGB", (64, 36), (number * 60, 90, 120)).save(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with transaction(engine) as session:
        image = session.get(ImageRow, number) or ImageRow(id=number, sha256=sha256, width_px=64, height_px=36)
        session.add(image)
    found = AnswerBox(Box(4, 4, 24, 16), "ALB", 0.8, 0.9, detection_id=10 + number)
    return ExportItem(
        image_id=number,
        sha256=sha256,
        file=os.fsencode(path),
        shown_path=path.name,
        camera="cam1",
        width_px=64,
        height_px=36,
        why="heads differ",
        answer=FinalAnswer("ALB", AnsweredBy.MODEL, {"ALB": 0.8}, (found,)),
    )


def edit(out: Path, number: int, change: Callable[[LabelmeFile], LabelmeFile]) -> Path:
    file = out / f"0000{number}_{number}.json"
    write_labelme(file, change(read_labelme(file)))
    return file


def flagged(name: str) -> Callable[[LabelmeFile], LabelmeFile]:
    return lambda file: replace(file, flags={**file.flags, name: True})


def relabelled(species: str) -> Callable[[LabelmeFile], LabelmeFile]:
    return lambda file: replace(file, shapes=(replace(file.shapes[0], label=species), *file.shapes[1:]))


def bring_back(folder: Path, engine: Engine, *, reviewer: str = "ana", images: Path | None = None) -> ImportSummary:
    return import_reviews(folder, engine=engine, label_set=DEFAULT_LABEL_SET, reviewer=reviewer, images=images)


def test_what_a_person_did_becomes_corrections(out: Path, engine: Engine):
    added = LabelmeShape("SHARK", ((30.0, 4.0), (60.0, 30.0)), "rectangle")
    edit(out, 1, relabelled("YFT"))
    edit(out, 2, lambda file: replace(file, shapes=(*file.shapes, added)))

    summary = bring_back(out, engine)

    assert (summary.files, summary.added, summary.problems) == (3, 2, ())
    assert summary.outcomes == {CorrectionOutcome.CORRECTED: 2, CorrectionOutcome.UNTOUCHED: 1}
    assert summary.changes == {Change.RELABELLED: 1, Change.KEPT: 1, Change.ADDED: 1}
    with reading(engine) as session:
        held = {found.label.species: found for found in current_corrections(session).values() if found.label}
    assert set(held) == {"YFT", "SHARK"}
    assert held["YFT"].label is not None and held["YFT"].label.boxes[0].box == Box(4, 4, 24, 16)
    assert (held["YFT"].reviewer, held["YFT"].export_id, held["YFT"].model_version) == ("ana", "e1", "m1")
    assert held["YFT"].changes[0].detection_id == 11


def test_importing_again_adds_nothing_and_a_later_change_supersedes_with_history(out: Path, engine: Engine):
    edit(out, 1, relabelled("YFT"))
    first = bring_back(out, engine)
    again = bring_back(out, engine)
    edit(out, 1, relabelled("BET"))
    edit(out, 2, flagged("no_fish"))
    later = bring_back(out, engine)
    edit(out, 1, relabelled("YFT"))
    back = bring_back(out, engine)

    assert [(found.added, found.repeated) for found in (first, again, later, back)] == [(1, 0), (0, 1), (2, 0), (1, 1)]
    with reading(engine) as session:
        sha256 = hashlib.sha256((out / "00001_1.jpg").read_bytes()).hexdigest()
        assert [found.label.species for found in history_of(session, sha256) if found.label] == ["YFT", "BET", "YFT"]
        assert sorted(found.label.species for found in current_corrections(session).values() if found.label) == [
            "NoF",
            "YFT",
        ]


def test_a_renamed_and_moved_folder_with_renamed_files_still_matches(out: Path, engine: Engine, tmp_path: Path):
    file = edit(out, 3, flagged("reviewed"))
    moved = tmp_path / "elsewhere" / "Ana's images"
    moved.parent.mkdir()
    out.rename(moved)
    (moved / file.name).rename(moved / "my image.json")

    summary = bring_back(moved, engine)

    assert (summary.added, summary.problems) == (1, ())
    assert summary.outcomes[CorrectionOutcome.CONFIRMED] == 1


def test_saves_to_another_folder_match_while_the_export_is_where_it_was_written(
    out: Path, engine: Engine, tmp_path: Path
):
    saves = tmp_path / "saves"
    saves.mkdir()
    edited = relabelled("DOL")(read_labelme(out / "00001_1.json"))
    write_labelme(saves / "00001_1.json", replace(edited, image_path="../out/00001_1.jpg"))

    assert bring_back(saves, engine).added == 1


def test_saves_beside_a_moved_export_need_the_images_folder(out: Path, engine: Engine, tmp_path: Path):
    moved, saves = tmp_path / "moved", tmp_path / "saves"
    out.rename(moved)
    saves.mkdir()
    edited = relabelled("DOL")(read_labelme(moved / "00001_1.json"))
    write_labelme(saves / "a.json", replace(edited, image_path="..\\moved\\00001_1.jpg"))

    without, given = bring_back(saves, engine), bring_back(saves, engine, images=moved)

    assert "--images DIR" in without.problems[0] and without.added == 0
    assert (given.added, given.problems) == (1, ())


def test_unsure_is_stored_and_takes_nothing_back(out: Path, engine: Engine):
    edit(out, 1, relabelled("YFT"))
    bring_back(out, engine)
    edit(out, 1, flagged("unsure"))

    summary = bring_back(out, engine, reviewer="ben")

    assert summary.outcomes[CorrectionOutcome.UNSURE] == 1 and summary.added == 1
    with reading(engine) as session:
        assert [found.label.species for found in current_corrections(session).values() if found.label] == ["YFT"]


def test_two_different_saves_of_one_image_are_both_left_out(out: Path, engine: Engine):
    file = edit(out, 1, relabelled("YFT"))
    shutil.copy(file, out / "copy.json")
    edit(out, 1, relabelled("BET"))

    summary = bring_back(out, engine)

    assert summary.added == 0
    assert summary.problems == (
        "00001_1.json and copy.json: different answers for one image; leave one of them in the folder",
    )


def test_a_copy_left_untouched_does_not_take_the_answer_back(out: Path, engine: Engine):
    shutil.copy(out / "00001_1.json", out / "before.json")
    edit(out, 1, relabelled("YFT"))

    summary = bring_back(out, engine)

    assert (summary.added, summary.problems) == (1, ())
    assert summary.outcomes == {CorrectionOutcome.CORRECTED: 1, CorrectionOutcome.UNTOUCHED: 2}


def with_image(name: str) -> Callable[[LabelmeFile], LabelmeFile]:
    return lambda file: replace(flagged("reviewed")(file), image_path=name)


def with_ids(**changes: object) -> Callable[[LabelmeFile], LabelmeFile]:
    def change(file: LabelmeFile) -> LabelmeFile:
        hidden = file.extra["taffrail"]
        assert isinstance(hidden, dict)
        return replace(flagged("reviewed")(file), extra={"taffrail": {**hidden, **changes}})

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(relabelled("tuna"), "shapes[0]: 'tuna' is not a known species", id="unknown label"),
        pytest.param(with_image("../../etc/passwd"), "names the image '../../etc/passwd', outside", id="escape"),
        pytest.param(with_image("/etc/passwd"), "names the image '/etc/passwd', outside", id="absolute"),
        pytest.param(with_image("00002_2.jpg"), "its image 00002_2.jpg is not the one exported", id="other image"),
        pytest.param(lambda file: replace(file, extra={}), "was never exported: it lacks the ids", id="no ids"),
        pytest.param(with_ids(item=77), "was never exported: export e1 has no such image", id="no such item"),
        pytest.param(with_ids(sha256="0"), "was never exported: export e1 has no such image", id="other content"),
        pytest.param(with_ids(export="e9"), "export 'e9': not held in this database", id="no such export"),
        pytest.param(with_ids(export=["e1"]), "was never exported", id="ids of another type"),
    ],
)
def test_a_bad_file_is_named_and_left_out_and_its_neighbours_come_in(out: Path, engine: Engine, change, reason):
    edit(out, 1, change)
    edit(out, 2, relabelled("BET"))

    summary = bring_back(out, engine)

    assert summary.added == 1
    assert len(summary.problems) == 1
    assert summary.problems[0].startswith("00001_1.json: ") and reason in summary.problems[0]


def test_a_torn_file_is_left_out_and_comes_in_after_mending(out: Path, engine: Engine):
    file = edit(out, 1, relabelled("BET"))
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])

    torn = bring_back(out, engine)
    file.write_text(whole)
    repaired = bring_back(out, engine)

    assert torn.problems[0].startswith("00001_1.json: torn or not JSON at line")
    assert (torn.added, repaired.added, repaired.problems) == (0, 1, ())


def test_a_image_changed_since_is_left_out(out: Path, engine: Engine):
    edit(out, 1, relabelled("BET"))
    (out / "00001_1.jpg").write_bytes(b"another image")

    assert "it changed since" in bring_back(out, engine).problems[0]


def test_answers_without_their_images_are_taken(out: Path, engine: Engine):
    edit(out, 1, relabelled("BET"))
    for image in out.glob("*.jpg"):
        image.unlink()

    assert bring_back(out, engine).added == 1


def test_two_people_say_different_things_and_both_are_held(out: Path, engine: Engine, tmp_path: Path):
    export(tmp_path / "for ben", engine=engine, fleet=tmp_path / "fleet", export_id="e2")
    edit(out, 1, relabelled("BET"))
    edit(tmp_path / "for ben", 1, relabelled("YFT"))

    bring_back(out, engine, reviewer="ana")
    bring_back(tmp_path / "for ben", engine, reviewer="ben")
    bring_back(out, engine, reviewer="ana")

    with reading(engine) as session:
        (held,) = current_corrections(session).values()
        assert [found.reviewer for found in history_of(session, held.sha256)] == ["ana", "ben"]
    assert (held.reviewer, held.label.species if held.label else None) == ("ben", "YFT")


def test_two_imports_at_once_do_not_double_an_answer(out: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch):
    with reading(engine) as session:
        seen_before = get_export(session, "e1")
    edit(out, 1, relabelled("BET"))
    bring_back(out, engine)
    monkeypatch.setattr(import_corrections, "get_export", lambda _session, _export_id: seen_before)

    with pytest.raises(ImportRefused, match="ran at the same time; import again"):
        bring_back(out, engine)

    monkeypatch.undo()
    assert bring_back(out, engine).repeated == 1


@pytest.mark.parametrize(
    ("name", "reviewer", "reason"),
    [
        pytest.param("missing", "ana", "no such folder", id="no folder"),
        pytest.param("empty", "ana", "holds no labelme file", id="empty folder"),
        pytest.param("empty", " \n", "the reviewer has no name", id="no reviewer"),
    ],
)
def test_a_folder_that_is_no_review_is_refused(tmp_path: Path, engine: Engine, name, reviewer, reason):
    (tmp_path / "empty").mkdir()

    with pytest.raises(ImportRefused, match=reason):
        bring_back(tmp_path / name, engine, reviewer=reviewer)


def test_head_and_tail_survive_the_store(out: Path, engine: Engine):
    head = LabelmeShape("head", ((6.0, 9.0),), "point")
    edit(out, 1, lambda file: replace(file, shapes=(*file.shapes, head)))

    bring_back(out, engine)

    with reading(engine) as session:
        (held,) = current_corrections(session).values()
    assert held.outcome is CorrectionOutcome.CONFIRMED
    assert held.label is not None and held.label.boxes[0].head_px == (6.0, 9.0)


def test_keys_of_other_programs_do_not_disturb(out: Path, engine: Engine):
    file = edit(out, 1, relabelled("BET"))
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "labelme7": {"a": [1]}, "version": "7.9.1"}))

    assert bring_back(out, engine).added == 1
