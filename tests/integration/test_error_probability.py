"""The chance to be wrong in the store: fitted on answers, given to every prediction, old and new, on both engines."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, select, update

import db.store.error_probabilities as error_probabilities
from annotator.uncertainty.calibrate import TooFewAnswers
from annotator.uncertainty.fit import answers_to, calibrate_error_probability
from db.domain.corrections import BoxChange, Change, Correction, CorrectionOutcome
from db.domain.error_probability import ErrorFit
from db.domain.labels import ImageLabel, LabelledBox
from db.session import reading, transaction
from db.store.error_probabilities import current_fit, record_fit, refresh_error_probabilities
from db.store.review_queue import QueueFilter, flagged_predictions
from db.store.reviews import NewReviewItem, add_correction, get_export, record_export
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import CARD_OF_SPECIES, sure_of
from tests.integration.test_review_export import FISH, NOW

COUNT = 60
AGREE = ErrorFit(2.0, (0.0,) * 8, {}, {"boat 1": 3.0})


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Sixty predictions of two boats; number n has agreement n / 60; those of boat 1 are called YFT and are BET."""
    with transaction(engine) as session:
        for name in ("m1", "m2"):
            session.add(
                ModelVersionRow(id=name, state="candidate", sha256="0", card=CARD_OF_SPECIES, note="", created_at=NOW)
            )
        session.add_all([CameraRow(id=1, name="boat 0"), CameraRow(id=2, name="boat 1")])
        session.flush()
        session.add_all([FolderRow(id=n, path=b"/f%d" % n, digest=str(n), camera_id=n) for n in (1, 2)])
        session.add_all([ImageRow(id=n, sha256=f"{n:064d}", width_px=64, height_px=36) for n in range(COUNT)])
        session.flush()
        for number in range(COUNT):
            session.add(file(number))
            session.add(prediction(number))
            session.flush()
            session.add(detection(number))
    return engine


def said(number: int) -> str:
    return "YFT" if boat(number) else "BET"


def boat(number: int) -> int:
    return number % 2


def file(number: int) -> FileRow:
    return FileRow(folder_id=1 + boat(number), name=b"%d.jpg" % number, size_bytes=1, mtime_ns=1, image_id=number)


def prediction(number: int, *, model: str = "m1", row: int | None = None) -> PredictionRow:
    return PredictionRow(
        id=row or 100 + number, image_id=number, model_version_id=model, parameters="p",
        species=said(number), box_probabilities=sure_of(said(number)), heatmap_probabilities=sure_of(said(number)),
        agreement=number / COUNT, iou=0.1, species_distance=0.2, box_entropy=0.1, heatmap_entropy=0.2,
        box_confidence=0.8, heatmap_confidence=0.7, fish_count=1, infer_ms=1.0, created_at=NOW,
    )  # fmt: skip


def detection(number: int) -> DetectionRow:
    return DetectionRow(
        prediction_id=100 + number, head="box_species", species="BET", confidence=0.8,
        x_min=FISH.x_min, y_min=FISH.y_min, x_max=FISH.x_max, y_max=FISH.y_max,
    )  # fmt: skip


def answer(engine: Engine, numbers: range) -> None:
    """Everything is a BET where the box says."""
    fish = LabelledBox(FISH, "BET")
    items = [NewReviewItem(n, n, 100 + n, False, "why", 64, 36, ()) for n in numbers]
    with transaction(engine) as session:
        record_export(session, items, export_id="e1", folder=b"/out", model_version="m1", flag_below=0.5)
    said = Correction(
        "", ImageLabel("BET", (fish,)), CorrectionOutcome.CORRECTED, (BoxChange(Change.ADDED, None, fish),),
        "ana", NOW.isoformat(), "e1", "m1",
    )  # fmt: skip
    with transaction(engine) as session:
        for item in get_export(session, "e1").items.values():
            add_correction(session, item, said)


def held_error_fit(engine: Engine, model: str = "m1") -> dict[int, tuple[float, int]]:
    query = select(PredictionRow.id, PredictionRow.error_probability, PredictionRow.error_fit)
    with reading(engine) as session:
        found = session.execute(query.where(PredictionRow.model_version_id == model))
        return {row: (error_probability, fit) for row, error_probability, fit in found}


def test_every_prediction_begins_with_the_rule(engine: Engine):
    assert held_error_fit(engine)[115] == (pytest.approx(1 - 15 / COUNT), 0)


def test_what_an_unseen_camera_does_not_confirm_leaves_the_rule_but_is_on_record(engine: Engine):
    answer(engine, range(40))

    found = calibrate_error_probability(engine, model_version="m1")

    # All of one boat are wrong and all of the other right: from one nothing can be told of the other.
    assert (found.answers, found.wrong, found.cameras, found.fit) == (40, 20, 2, None)
    assert held_error_fit(engine)[115] == (pytest.approx(1 - 15 / COUNT), 1)
    with reading(engine) as session:
        assert current_fit(session, "m1").fitted_on["answers"] == 40


def test_the_fit_that_counts_gives_every_figure_and_the_queue_follows(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(error_probabilities, "_PAGE", 7)
    with transaction(engine) as session:
        record_fit(session, AGREE, model_version="m1", fitted_on={"answers": 3})

    changed, again = refresh_error_probabilities(engine, "m1"), refresh_error_probabilities(engine, "m1")

    assert (changed, again) == (COUNT, 0)
    # 1 / (1 + exp(-2)) and 1 / (1 + exp(-5)).
    assert held_error_fit(engine)[100][0] == pytest.approx(0.8808, abs=1e-4)
    assert held_error_fit(engine)[101][0] == pytest.approx(0.9933, abs=1e-4)
    with reading(engine) as session:
        assert current_fit(session, "m1").fitted_on == {"answers": 3}
        shown = flagged_predictions(session, QueueFilter(model_version="m1", below=0.5), limit=30)
        assert shown == [101 + 2 * place for place in range(30)]


def test_what_comes_after_a_fit_waits_for_its_figure_and_the_rest_is_not_touched(engine: Engine):
    with transaction(engine) as session:
        record_fit(session, AGREE, model_version="m1", fitted_on={})
    refresh_error_probabilities(engine, "m1")
    with transaction(engine) as session:
        session.execute(delete(DetectionRow).where(DetectionRow.prediction_id == 159))
        session.execute(delete(PredictionRow).where(PredictionRow.id == 159))
        session.execute(update(PredictionRow).where(PredictionRow.id == 100).values(error_probability=0.25))
        session.flush()
        session.add(prediction(59, row=500))
    everything = QueueFilter(model_version="m1", below=1.0)

    with reading(engine) as session:
        before = flagged_predictions(session, everything, limit=99)
    changed = refresh_error_probabilities(engine, "m1")

    assert 500 not in before and changed == 1
    assert held_error_fit(engine)[500] == (pytest.approx(0.9933, abs=1e-4), 1)
    assert held_error_fit(engine)[100] == (0.25, 1)


def test_a_fit_of_one_model_says_nothing_of_another(engine: Engine):
    with transaction(engine) as session:
        session.add(prediction(3, model="m2", row=900))
        record_fit(session, AGREE, model_version="m1", fitted_on={})

    refresh_error_probabilities(engine, "m1")

    assert held_error_fit(engine, "m2") == {900: (pytest.approx(1 - 3 / COUNT), 0)}


def test_a_image_counts_for_its_own_camera_before_its_folders(engine: Engine):
    with transaction(engine) as session:
        session.execute(update(ImageRow).where(ImageRow.id == 0).values(camera_id=2))
        record_fit(session, AGREE, model_version="m1", fitted_on={})

    refresh_error_probabilities(engine, "m1")

    assert held_error_fit(engine)[100][0] == pytest.approx(0.9933, abs=1e-4)


def test_answers_to_another_model_are_left_out(engine: Engine):
    answer(engine, range(40))

    with reading(engine) as session:
        assert len(answers_to(session, model_version="m1")) == 40
        assert answers_to(session, model_version="m2") == []
    with pytest.raises(TooFewAnswers):
        calibrate_error_probability(engine, model_version="m2")
