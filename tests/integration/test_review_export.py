"""A whole review without a window: predictions, folder, an oracle's edits, import, and what the audit says then."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from PIL import Image
from sqlalchemy import Engine

from annotator.corrections.import_corrections import import_reviews
from annotator.corrections.reviewers import compare_reviewers
from annotator.errors import ExportError
from annotator.export.export_flagged import ReviewExportOptions, export_flagged, why_shown
from annotator.export.write import Outline, WrittenExport
from annotator.labelme.json_files import read_labelme
from annotator.labelme.open import OpenRefused, labelme_command, open_labelme
from annotator.simulation.oracle import answer_folder
from annotator.uncertainty.audit import audit_agreement
from db.domain.boxes import Box
from db.domain.corrections import CorrectionOutcome
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.predictions import Agreement, Detection, Head
from db.domain.results import StoredDetection
from db.domain.species import DEFAULT_LABEL_SET
from db.session import reading, transaction
from db.store.duplicates import answers_by_duplicates
from db.store.review_queue import QueueFilter, ReviewCandidate, answered_predictions
from db.store.reviews import answers_by_reviewer, current_corrections, get_export
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import CARD_OF_SPECIES, sure_of

EVERY = QueueFilter(model_version="m1", below=0.5)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FISH = Box(4, 4, 24, 16)


@pytest.fixture
def engine(engine: Engine, tmp_path: Path) -> Engine:
    """Twenty images of one BET each; numbers 0-9 flagged and called ALB, 10-19 agreed and called BET, but 10 ALB."""
    hold_fleet(engine, tmp_path / "fleet", count=20)
    return engine


def hold_fleet(
    engine: Engine, fleet: Path, *, count: int, also: Callable[[int], Sequence[list[object]]] = lambda number: ()
) -> None:
    """Write images and hold them with a model's prediction of each. also: more rows of each, in the order they need."""
    fleet.mkdir()
    with transaction(engine) as session:
        session.add(
            ModelVersionRow(id="m1", state="champion", sha256="0", card=CARD_OF_SPECIES, note="", created_at=NOW)
        )
        session.add(CameraRow(id=1, name="a"))
        session.flush()
        session.add(FolderRow(id=1, path=os.fsencode(fleet), digest="1", camera_id=1))
        session.flush()
        for number in range(count):
            for rows in (*image(fleet / f"{number}.png", number), *also(number)):
                session.add_all(rows)
                session.flush()


def image(path: Path, number: int) -> list[list[object]]:
    Image.new("RGB", (64, 36), (number * 10, 90, 120)).save(path)
    species = "ALB" if number <= 10 else "BET"
    image = ImageRow(id=number, sha256=content_hash(path), width_px=64, height_px=36)
    file = FileRow(folder_id=1, name=os.fsencode(path.name), size_bytes=1, mtime_ns=1, image_id=number)
    prediction = PredictionRow(
        id=100 + number, image_id=number, model_version_id="m1", parameters="p", species=species,
        box_probabilities=sure_of(species), heatmap_probabilities=sure_of(species),
        agreement=0.1 if number < 10 else 0.9, iou=0.1, species_distance=0.2, box_entropy=0.1,
        heatmap_entropy=0.2, box_confidence=0.8, heatmap_confidence=0.7,
        fish_count=1, infer_ms=1.0, created_at=NOW,
    )  # fmt: skip
    detection = DetectionRow(
        prediction_id=100 + number, head="box_species", species=species, confidence=0.8,
        x_min=FISH.x_min, y_min=FISH.y_min, x_max=FISH.x_max, y_max=FISH.y_max,
    )  # fmt: skip
    return [[image], [file], [prediction], [detection]]


def content_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ask(engine: Engine, out: Path, *, count: int, random_share: float = 0.5) -> WrittenExport:
    options = ReviewExportOptions(
        count=count, random_share=random_share, label_set=DEFAULT_LABEL_SET, outlines_of=one_outline
    )
    return export_flagged(out, EVERY, options, engine=engine, rng=Random(3))


def one_outline(candidate: ReviewCandidate) -> tuple[Outline, ...]:
    return (Outline(candidate.species, ((1.0, 1.0), (20.0, 1.0), (10.0, 20.0))),)


def test_a_review_from_queue_to_audit(engine: Engine, tmp_path: Path):
    truth = {
        content_hash(path): ImageLabel("BET", (LabelledBox(FISH, "BET"),)) for path in (tmp_path / "fleet").iterdir()
    }

    written = ask(engine, tmp_path / "out", count=20)
    done = answer_folder(tmp_path / "out", truth)
    summary = import_reviews(tmp_path / "out", engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="oracle")
    found = audit_agreement(engine, model_version="m1", below=0.5, width=0.2)

    assert (len(written.items), done.answered, summary.added, summary.problems) == (20, 20, 20, ())
    assert summary.outcomes == {CorrectionOutcome.CORRECTED: 11, CorrectionOutcome.CONFIRMED: 9}
    assert (found.unflagged, found.missed.reviewed, found.missed.wrong) == (10, 10, 1)
    assert found.more is not None and found.more > 0
    with reading(engine) as session:
        assert all(held.label == truth[sha256] for sha256, held in current_corrections(session).items())


def test_the_folder_and_the_store_say_the_same(engine: Engine, tmp_path: Path):
    written = ask(engine, tmp_path / "out", count=10, random_share=0.2)

    with reading(engine) as session:
        held = get_export(session, written.export_id)
    assert sum(item.at_random for item in held.items.values()) == 2
    assert os.fsdecode(held.folder) == str(tmp_path / "out")
    for one in written.items:
        shapes = read_labelme((tmp_path / "out" / one.name).with_suffix(".json")).shapes
        assert [shape.shape_type for shape in shapes] == ["rectangle", "polygon"]
        assert "chance to be wrong 0." in shapes[0].description
        assert len(held.items[one.number].shapes) == 2


def test_a_crop_that_is_called_something_else_is_the_first_reason():
    agreement = Agreement(0.2, 0.1, 0.2, 0.1, 0.1, 0.9, 0.9, 3)
    alike, other = (
        StoredDetection(number, Detection(FISH, "ALB", 0.9, head), None, crop_species=species)
        for number, head, species in ((1, Head.BOX_SPECIES, "ALB"), (2, Head.HEATMAP, "SHARK"))
    )

    told = why_shown(agreement, error_probability=0.8, shown=[alike, other])

    assert told == (
        "chance to be wrong 0.80: ALB by the heatmap head is SHARK by its crop, boxes apart (IoU 0.10), "
        "3 places in the heat map"
    )


def test_nobody_is_given_the_same_image_twice(engine: Engine, tmp_path: Path):
    first = ask(engine, tmp_path / "ana", count=8)
    second = ask(engine, tmp_path / "ben", count=8)

    shown = [one.item.image_id for written in (first, second) for one in written.items]
    assert len(set(shown)) == len(shown) == 16


def test_an_empty_queue_says_so_and_writes_nothing(engine: Engine, tmp_path: Path):
    ask(engine, tmp_path / "all", count=20)

    with pytest.raises(ExportError, match=r"no prediction waits for a person; .*--overlap"):
        ask(engine, tmp_path / "more", count=5)

    assert not (tmp_path / "more").exists()


def test_an_audit_before_any_review_knows_nothing(engine: Engine):
    found = audit_agreement(engine, model_version="m1", below=0.5, width=0.1)

    assert (found.missed.reviewed, found.missed.rate, found.missed.low, found.missed.high) == (0, None, 0.0, 1.0)


def test_labelme_is_told_our_flags_and_labels(engine: Engine, tmp_path: Path):
    ask(engine, tmp_path / "out", count=1)

    command = labelme_command(tmp_path / "out", program=Path("labelme"))

    assert command[1:4] == [str(tmp_path / "out"), "--flags", str(tmp_path / "out" / "flags.txt")]
    assert command[4:6] == ["--labels", str(tmp_path / "out" / "labels.txt")]


def test_a_missing_labelme_says_how_to_get_it(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ask(engine, tmp_path / "out", count=1)
    monkeypatch.delenv("TAFFRAIL_LABELME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    with pytest.raises(OpenRefused, match=r"pip install 'taffrail-fish\[review\]'"):
        open_labelme(tmp_path / "out")


def test_a_folder_that_is_no_review_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAFFRAIL_LABELME", sys.executable)

    with pytest.raises(OpenRefused, match="no review folder"):
        open_labelme(tmp_path)


def test_open_cases_of_two_people_are_handed_out_again(engine: Engine, tmp_path: Path):
    ask(engine, tmp_path / "ana", count=2, random_share=0.0)
    shown = sorted(content_hash(path) for path in (tmp_path / "ana").glob("*.png"))
    options = ReviewExportOptions(count=9, random_share=0.0, label_set=DEFAULT_LABEL_SET)
    export_flagged(tmp_path / "ben", EVERY, options, engine=engine, rng=Random(0), contents=shown)
    for name, species in (("ana", ("BET", "BET")), ("ben", ("BET", "YFT"))):
        said = {
            sha256: ImageLabel(kind, (LabelledBox(FISH, kind),)) for sha256, kind in zip(shown, species, strict=True)
        }
        answer_folder(tmp_path / name, said)
        import_reviews(tmp_path / name, engine=engine, label_set=DEFAULT_LABEL_SET, reviewer=name)

    with reading(engine) as session:
        report = compare_reviewers(answers_by_reviewer(session))
    again = export_flagged(tmp_path / "eve", EVERY, options, engine=engine, rng=Random(0), contents=report.open_cases)

    assert (report.pairs, report.agreeing, report.open_cases) == (2, 1, (shown[1],))
    assert [one.item.sha256 for one in again.items] == [shown[1]]


def test_near_duplicates_are_asked_about_once_and_answered_by_the_one_that_is_shown(engine: Engine, tmp_path: Path):
    with transaction(engine) as session:
        for number in range(10):
            image = session.get_one(ImageRow, number)
            image.thumbnail = bytes(9 * 16 * 3) if number < 6 else None
    truth = {
        content_hash(path): ImageLabel("BET", (LabelledBox(FISH, "BET"),)) for path in (tmp_path / "fleet").iterdir()
    }

    written = ask(engine, tmp_path / "out", count=20, random_share=0.0)
    answer_folder(tmp_path / "out", truth)
    summary = import_reviews(tmp_path / "out", engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="ana")

    first = next(one.item for one in written.items if one.item.duplicates)
    assert len(first.duplicates) == 5 and "also answers 5 near-duplicates" in first.why
    assert (len(written.items), summary.added, summary.duplicates) == (15, 15, 5)
    with reading(engine) as session:
        assert len(answered_predictions(session, model_version="m1")) == 15
        assert len(current_corrections(session)) == 15
        images = {session.get_one(ImageRow, number).sha256: number for number in first.duplicates}
        passed_on = answers_by_duplicates(session, images, answered=current_corrections(session))
        assert {said.duplicate_of for said in passed_on.values()} == {first.sha256} and len(passed_on) == 5
        assert all(said.label == truth[sha256] for sha256, said in passed_on.items())
    with pytest.raises(ExportError, match="no prediction waits"):
        ask(engine, tmp_path / "again", count=20)
