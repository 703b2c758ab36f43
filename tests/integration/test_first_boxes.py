"""A new camera's first boxes are asked for before anything else, and importing them sets its fish size."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine

from annotator.corrections.import_corrections import import_reviews
from annotator.export.export_flagged import ReviewExportOptions, export_flagged
from annotator.export.write import WrittenExport
from annotator.simulation.oracle import answer_folder
from db.domain.fish_size import FishSize, FishSizeOrigin
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET
from db.domain.train_choices import SIZED_KIND
from db.session import reading, transaction
from db.store.fish_sizes import fish_sizes, keep_estimate, set_fish_size, sizes_from_labels
from db.tables.images import CameraRow, ImageRow
from db.tables.models import ModelVersionRow
from db.tables.plans import ReviewPlanItemRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import CARD_OF_SPECIES
from tests.integration.test_review_export import EVERY, FISH, content_hash, hold_fleet

NEW, OLD = "new", "a"


@pytest.fixture
def engine(engine: Engine, tmp_path: Path) -> Engine:
    """Twenty images; 8 to 19 are of a new camera, and its images of odd numbers show a sure fish."""
    hold_fleet(engine, tmp_path / "fleet", count=20, also=lambda number: [[_fish(number)]])
    with transaction(engine) as session:
        session.get_one(ModelVersionRow, "m1").card = {**CARD_OF_SPECIES, "kind": SIZED_KIND}
        session.add(CameraRow(id=2, name=NEW))
        session.flush()
        for number in range(8, 20):
            session.get_one(ImageRow, number).camera_id = 2
        set_fish_size(session, OLD, FishSize(80.0, FishSizeOrigin.PERSON))
        keep_estimate(session, NEW, 60.0)
    return engine


def _fish(number: int) -> DetectionRow:
    return DetectionRow(
        prediction_id=100 + number, head="heatmap", species="BET", confidence=0.7 if number % 2 else 0.1,
        x_min=FISH.x_min, y_min=FISH.y_min, x_max=FISH.x_max, y_max=FISH.y_max,
    )  # fmt: skip


def _export(engine: Engine, out: Path, *, count: int = 10) -> WrittenExport:
    options = ReviewExportOptions(count=count, random_share=0.5, label_set=DEFAULT_LABEL_SET)
    return export_flagged(out, EVERY, options, engine=engine, rng=Random(3))


def _first(written: WrittenExport) -> list[str | None]:
    return [one.item.first_of for one in written.items]


def test_the_first_images_are_the_new_cameras_and_say_why(engine: Engine, tmp_path: Path) -> None:
    written = _export(engine, tmp_path / "out")

    assert _first(written) == [NEW] * 4 + [None] * 6
    assert "how large camera new shows fish" in written.items[0].item.why
    assert len({one.item.image_id for one in written.items}) == 10


def test_they_are_certain_in_the_plan_that_the_others_are_drawn_by(engine: Engine, tmp_path: Path) -> None:
    written = _export(engine, tmp_path / "out")

    first = {one.item.image_id for one in written.items[:4]}
    with reading(engine) as session:
        held = {row.image_id: row.probability for row in session.query(ReviewPlanItemRow)}
        drawable = session.query(PredictionRow).where(PredictionRow.error_probability <= 0.5).count()
    assert {held[image_id] for image_id in first} == {1.0}
    by_chance = [one for one in written.items if one.item.at_random]
    in_first = sum(image_id >= 10 for image_id in first)
    assert {held[one.item.image_id] for one in by_chance} == {len(by_chance) / (drawable - in_first)}


def test_a_camera_that_was_asked_about_is_not_asked_again_until_answered(engine: Engine, tmp_path: Path) -> None:
    _export(engine, tmp_path / "out", count=8)

    assert not any(_first(_export(engine, tmp_path / "again", count=4)))


def test_no_camera_is_asked_about_for_a_model_that_shows_all_alike(engine: Engine, tmp_path: Path) -> None:
    with transaction(engine) as session:
        session.get_one(ModelVersionRow, "m1").card = CARD_OF_SPECIES

    assert not any(_first(_export(engine, tmp_path / "out")))


def test_their_boxes_tell_the_cameras_size(engine: Engine, tmp_path: Path) -> None:
    _export(engine, tmp_path / "out", count=8)
    truth = {
        content_hash(path): ImageLabel("BET", (LabelledBox(FISH, "BET"),)) for path in (tmp_path / "fleet").iterdir()
    }
    answer_folder(tmp_path / "out", truth)
    import_reviews(tmp_path / "out", engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="oracle")

    with transaction(engine) as session:
        changed = sizes_from_labels(session)

    assert changed == {NEW: FishSize(round((20 * 12) ** 0.5 * 10, 2), FishSizeOrigin.LABELS)}
    with reading(engine) as session:
        assert fish_sizes(session)[NEW] == changed[NEW]
        assert fish_sizes(session)[OLD].origin is FishSizeOrigin.PERSON
