"""Which predictions wait for a person: the queries, on a database as workers fill it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, update

from db.domain.boxes import Box
from db.domain.corrections import BoxChange, Change, Correction, CorrectionOutcome
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.predictions import Head
from db.session import reading, transaction
from db.store.review_queue import (
    QueueFilter,
    agreed_predictions,
    answered_predictions,
    count_agreed,
    flagged_predictions,
    load_candidates,
)
from db.store.reviews import NewReviewItem, add_correction, get_export, record_export
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import CARD_OF_SPECIES, sure_of

EVERY = QueueFilter(model_version="m1", below=0.5)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Ten images, agreement 0.0, 0.1, ... 0.9; even ones of camera `a`; the first half BET, the others ALB."""
    with transaction(engine) as session:
        session.add(
            ModelVersionRow(id="m1", state="champion", sha256="0", card=CARD_OF_SPECIES, note="", created_at=NOW)
        )
        session.add_all([CameraRow(id=1, name="a"), CameraRow(id=2, name="b")])
        session.flush()
        session.add_all([FolderRow(id=n, path=b"/fleet/%d" % n, digest=str(n), camera_id=n) for n in (1, 2)])
        session.add_all([ImageRow(id=n, sha256=f"{n:064d}", width_px=640, height_px=360) for n in range(10)])
        session.flush()
        session.add_all([place(n) for n in range(10)])
        session.add_all([prediction(n) for n in range(10)])
        session.flush()
        session.add(detection(1, head="box_species"))
    return engine


def place(number: int) -> FileRow:
    folder = 1 if number % 2 == 0 else 2
    name = b"%d\xff.jpg" % number
    return FileRow(folder_id=folder, name=name, size_bytes=1, mtime_ns=1, image_id=number)


def prediction(number: int) -> PredictionRow:
    species = "BET" if number < 5 else "ALB"
    return PredictionRow(
        id=100 + number,
        image_id=number,
        model_version_id="m1",
        parameters="p",
        species=species,
        box_probabilities=sure_of(species),
        heatmap_probabilities=sure_of(species),
        agreement=number / 10,
        iou=0.25,
        species_distance=0.5,
        box_entropy=0.1,
        heatmap_entropy=0.2,
        box_confidence=0.8,
        heatmap_confidence=0.7,
        fish_count=1,
        heatmap=b"grid",
        infer_ms=1.0,
        created_at=NOW,
    )


def detection(number: int, *, head: str) -> DetectionRow:
    return DetectionRow(
        id=7, prediction_id=100 + number, head=head, species="BET", confidence=0.8,
        x_min=1.0, y_min=2.0, x_max=30.0, y_max=40.0, crop_file="c.jpg",
    )  # fmt: skip


def export_flagged(engine: Engine, *numbers: int, at_random: bool = False) -> None:
    items = [NewReviewItem(number, number, 100 + number, at_random, "why", 640, 360, ()) for number in numbers]
    with transaction(engine) as session:
        record_export(session, items, export_id="e1", folder=b"/out", model_version="m1", flag_below=0.5)


def answer(engine: Engine, number: int, *, outcome: CorrectionOutcome) -> None:
    fish = LabelledBox(Box(1, 2, 30, 40), "BET")
    decided = outcome is CorrectionOutcome.CORRECTED
    said = Correction(
        sha256=f"{number:064d}",
        label=ImageLabel("BET", (fish,)) if decided else None,
        outcome=outcome,
        changes=(BoxChange(Change.ADDED, None, fish),) if decided else (),
        reviewer="ana",
        reviewed_at=NOW.isoformat(),
        export_id="e1",
        model_version="m1",
    )
    with transaction(engine) as session:
        add_correction(session, get_export(session, "e1").items[number], said)


def test_images_unlike_all_learnt_from_are_flagged_and_come_first(engine: Engine):
    with transaction(engine) as session:
        session.execute(update(PredictionRow).where(PredictionRow.id.in_([103, 108])).values(novelty=1.5))
        session.execute(update(PredictionRow).where(PredictionRow.id == 109).values(novelty=0.9))

    with reading(engine) as session:
        assert flagged_predictions(session, EVERY, limit=99) == [103, 108, 100, 101, 102, 104]
        assert list(agreed_predictions(session, EVERY)) == [105, 106, 107, 109]
        assert sum(count_agreed(session, EVERY).values()) == 4


def test_the_least_agreed_come_first_and_only_flagged_ones(engine: Engine):
    with reading(engine) as session:
        assert flagged_predictions(session, EVERY, limit=3) == [100, 101, 102]
        assert flagged_predictions(session, EVERY, limit=99) == [100, 101, 102, 103, 104]
        assert flagged_predictions(session, replace(EVERY, model_version="m2"), limit=99) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({"camera": "b"}, [101, 103], id="camera"),
        pytest.param({"species": "ALB"}, [], id="species"),
        pytest.param({"species": "ALB", "below": 0.8, "camera": "a"}, [106], id="all of them"),
    ],
)
def test_filters_narrow_the_queue(engine: Engine, wanted, found):
    with reading(engine) as session:
        assert flagged_predictions(session, replace(EVERY, **wanted), limit=99) == found


def test_the_agreed_ones_are_all_the_unflagged(engine: Engine):
    with reading(engine) as session:
        found = agreed_predictions(session, EVERY)
        assert sum(count_agreed(session, EVERY).values()) == 5

    assert found.tolist() == [105, 106, 107, 108, 109]


def test_what_was_handed_out_is_asked_again_only_where_wanted(engine: Engine):
    export_flagged(engine, 0, 7)

    with reading(engine) as session:
        assert flagged_predictions(session, EVERY, limit=99) == [101, 102, 103, 104]
        assert flagged_predictions(session, replace(EVERY, handed_out=True), limit=1) == [100]
        assert count_agreed(session, EVERY) == {("ALB", "a"): 2, ("ALB", "b"): 2}


def test_a_candidate_carries_its_image_and_opinions(engine: Engine):
    with reading(engine) as session:
        found = load_candidates(session, [101, 109, 999])
        plain = load_candidates(session, [101], with_heatmaps=False)

    assert set(found) == {101, 109}
    first = found[101]
    assert (first.file, first.camera, first.sha256, first.heatmap) == (b"/fleet/2/1\xff.jpg", "b", f"{1:064d}", b"grid")
    assert [(one.detection_id, one.detection.head, one.detection.box) for one in first.detections] == [
        (7, Head.BOX_SPECIES, Box(1, 2, 30, 40))
    ]
    assert (first.agreement.score, first.agreement.iou, first.width_px) == (0.1, 0.25, 640)
    assert plain[101].heatmap is None


def test_a_image_that_lies_in_two_places_is_one_candidate(engine: Engine):
    with transaction(engine) as session:
        session.add(FileRow(folder_id=1, name=b"again.jpg", size_bytes=1, mtime_ns=1, image_id=1))

    with reading(engine) as session:
        assert load_candidates(session, [101])[101].file == b"/fleet/2/1\xff.jpg"


def test_only_decided_answers_drawn_by_chance_tell_the_miss_rate(engine: Engine):
    export_flagged(engine, 6, 7, 8, at_random=True)
    answer(engine, 6, outcome=CorrectionOutcome.CORRECTED)
    answer(engine, 7, outcome=CorrectionOutcome.UNSURE)

    with reading(engine) as session:
        assert answered_predictions(session, model_version="m1", at_random=True) == [106]
