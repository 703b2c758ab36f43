"""A camera's own calibration: held as corrections come, a part of what results are unique by, and used by workers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from sqlalchemy import Engine, update

from annotator.corrections.import_corrections import import_reviews
from annotator.export.export_flagged import ReviewExportOptions, export_flagged
from annotator.simulation.oracle import answer_folder
from db.domain.box_confidence import UNFITTED
from db.domain.jobs import Claim, ClaimedItem
from db.domain.labels import ImageLabel
from db.domain.species import DEFAULT_LABEL_SET
from db.domain.train_choices import SIZED_KIND
from db.session import reading, transaction
from db.store.box_shifts import box_shifts, refresh_box_shifts
from db.store.cameras import merge_cameras
from db.store.champion_items import count_stale
from db.store.fish_sizes import keep_estimate
from db.tables.images import CameraRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import CARD_OF_SPECIES, write_images
from tests.integration.test_delivery import Site
from tests.integration.test_review_export import EVERY, FISH, content_hash, hold_fleet
from worker.inference.camera_sizes import CameraSizes

T = TypeVar("T")
_CARD = {**CARD_OF_SPECIES, "kind": SIZED_KIND, "input_hw": [90, 160], "box_confidence": dataclasses.asdict(UNFITTED)}


@pytest.fixture
def crew(engine: Engine, tmp_path: Path) -> Engine:
    """Twenty images of one camera, each with a box of chance 0.7 on crew; a person took all of them away."""
    hold_fleet(engine, tmp_path / "fleet", count=20, also=lambda number: [[_box(number)]])
    with transaction(engine) as session:
        session.execute(update(ModelVersionRow).values(card=_CARD))
    options = ReviewExportOptions(count=20, random_share=0.5, label_set=DEFAULT_LABEL_SET)
    export_flagged(tmp_path / "out", EVERY, options, engine=engine, rng=Random(3))
    nothing = {content_hash(path): ImageLabel("NoF") for path in (tmp_path / "fleet").iterdir()}
    answer_folder(tmp_path / "out", nothing)
    import_reviews(tmp_path / "out", engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="oracle")
    return engine


def _box(number: int) -> DetectionRow:
    return DetectionRow(
        prediction_id=100 + number, head="heatmap", species="BET", confidence=0.7,
        x_min=FISH.x_min, y_min=FISH.y_min, x_max=FISH.x_max, y_max=FISH.y_max,
    )  # fmt: skip


def test_a_camera_whose_boxes_were_taken_away_is_shifted_down_once(crew: Engine) -> None:
    with transaction(crew) as session:
        changed = refresh_box_shifts(session, "m1")
        again = refresh_box_shifts(session, "m1")

    assert set(changed) == {"a"} and changed["a"] <= -2.0 and again == {}
    with reading(crew) as session:
        assert box_shifts(session, "m1") == changed


def test_chances_that_were_told_with_the_shift_give_the_same_shift(crew: Engine) -> None:
    with transaction(crew) as session:
        shift = refresh_box_shifts(session, "m1")["a"]
        shifted = UNFITTED.shifted(shift)
        score = next(x / 1000 for x in range(1, 999) if UNFITTED.of(x / 1000) >= 0.7)
        session.execute(update(DetectionRow).values(confidence=shifted.of(score)))
        session.execute(update(PredictionRow).values(parameters=f"p boxes{shift:+g}"))

        assert refresh_box_shifts(session, "m1") == {}


def test_a_model_without_fitted_chances_has_no_shift(crew: Engine) -> None:
    with transaction(crew) as session:
        session.execute(update(ModelVersionRow).values(card=CARD_OF_SPECIES))

        assert refresh_box_shifts(session, "m1") == {}


def test_a_camera_that_is_merged_takes_its_shift_along_to_nowhere(crew: Engine) -> None:
    with transaction(crew) as session:
        refresh_box_shifts(session, "m1")
        session.add(CameraRow(id=50, name="b"))
        session.flush()

        merge_cameras(session, source="a", target="b")

        assert box_shifts(session, "m1") == {}


def test_a_shift_makes_answers_stale_and_workers_use_it(engine: Engine, tmp_path: Path) -> None:
    site = Site(engine, tmp_path)
    write_images(site.images / "cam_1", 3)
    site.enqueue()
    site.work()
    with transaction(engine) as session:
        session.execute(update(ModelVersionRow).values(card=_CARD))
        session.execute(update(PredictionRow).values(parameters="letterbox-96x160"))
        keep_estimate(session, "cam_1", 85.0)
        assert count_stale(session, [1]) == {}
        model = session.query(ModelVersionRow).one().id
        camera = session.query(CameraRow).filter_by(name="cam_1").one().id
        _hold(session, model, camera, -1.5)

        assert count_stale(session, [1]) == {1: 3}
        session.execute(update(PredictionRow).values(parameters="letterbox-96x160 boxes-1.5"))
        assert count_stale(session, [1]) == {}

    held = Claim(1, "t", os.fsencode(site.images), None, False, 1, (ClaimedItem(1, 1, b"x", "cam_1", 85.0),))
    (item,) = CameraSizes(engine, persistently=_now).with_sizes(held, _Model(model)).items  # type: ignore[arg-type]
    assert (item.box_shift, item.fish_px) == (-1.5, 85.0)


def _hold(session, model: str, camera_id: int, shift: float) -> None:
    from db.domain.fish_size import parameters_of_shift
    from db.tables.models import BoxShiftRow

    row = BoxShiftRow(
        model_version_id=model, camera_id=camera_id, shift=shift, parameters=parameters_of_shift(shift), boxes=9
    )
    session.add(row)
    session.flush()


@dataclasses.dataclass
class _Model:
    model_version: str


def _now(ask: Callable[[], T]) -> T:
    return ask()
