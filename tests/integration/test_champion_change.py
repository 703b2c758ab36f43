"""A change of the champion: workers follow between batches, old answers are known as such, a rollback restores them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from db.domain.jobs import JobCounts
from db.domain.results import ImageResult
from db.session import reading, transaction
from db.store.champion_items import ask_stale_again, count_stale
from db.store.jobs import make_batches
from db.store.model_versions import promote, rollback_champion
from db.store.results import page_of_results
from db.store.reviews import NewReviewItem, record_export
from db.tables.jobs import BatchRow, ItemRow, JobRow
from db.tables.predictions import PredictionRow
from tests.factories import add_noop_champion, write_images
from tests.integration.test_delivery import Site
from worker.retraining.rerank import ask_flagged


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Site:
    """A site with two models that answer differently, `noop` serving; eight images in two batches."""
    site = Site(engine, tmp_path)
    add_noop_champion(engine, site.settings.models_dir, model_id="newer", state="candidate", input_hw=(120, 160))
    write_images(site.images, 8)
    return site


def test_workers_change_between_batches_without_a_restart_and_never_within_one(site: Site) -> None:
    site.enqueue()
    first, second = site.pending()
    site.worker.infer_batch(first)
    _promote(site, "newer")

    site.worker.infer_batch(second)

    with reading(site.engine) as session:
        pairs = session.execute(
            select(BatchRow.id, PredictionRow.model_version_id)
            .join(ItemRow, ItemRow.batch_id == BatchRow.id)
            .join(PredictionRow, PredictionRow.id == ItemRow.prediction_id)
            .distinct()
        ).all()
    assert sorted((batch, model) for batch, model in pairs) == [(first, "noop"), (second, "newer")]


def test_answers_of_an_earlier_champion_are_known_and_asked_again_on_request(site: Site) -> None:
    _all_done(site)
    _promote(site, "newer")
    assert _stale(site) == 8

    _ask_again(site)
    site.work()

    assert _stale(site) == 0 and site.counts() == JobCounts(done=8)
    assert {_model(result) for result in _results(site)} == {"newer"}
    assert site.number_of(PredictionRow) == 16


def test_a_rollback_gives_the_old_answers_back_bit_for_bit_and_infers_nothing(site: Site) -> None:
    _all_done(site)
    before = _results(site)
    _promote(site, "newer")
    _ask_again(site)
    site.work()
    between = _results(site)

    with transaction(site.engine) as session:
        rollback_champion(session, reason="test")

    assert _results(site) == before and between != before
    assert _stale(site) == 0 and site.counts() == JobCounts(done=8)
    _promote(site, "newer")
    assert _results(site) == between and site.number_of(PredictionRow) == 16


def test_a_job_that_asked_for_a_model_stays_with_it(site: Site) -> None:
    _all_done(site)
    with transaction(site.engine) as session:
        session.execute(update(JobRow).values(model_asked="noop"))

    _promote(site, "newer")

    assert _stale(site) == 0
    assert {_model(result) for result in _results(site)} == {"noop"}


def test_flagged_images_that_nobody_was_shown_are_ranked_anew(site: Site) -> None:
    _all_done(site)
    with transaction(site.engine) as session:
        rows = list(session.scalars(select(PredictionRow).order_by(PredictionRow.id)))
        for row in rows:
            row.error_probability = 0.9 if row.id <= rows[3].id else 0.1  # four are flagged
        shown = NewReviewItem(1, rows[0].image_id, rows[0].id, False, "", 320, 180, ())  # and one of them is out
        record_export(session, [shown], export_id="e1", folder=b"/r", model_version="noop", flag_below=0.5)
        promote(session, "newer", reason="test", forced=False)

        job_ids = ask_flagged(session, site.settings, former="noop")

    assert job_ids == [1] and site.counts() == JobCounts(done=5, pending=3)
    assert len(_results(site)) == 8 and all(result.prediction for result in _results(site))  # until then the old ones
    site.work()
    assert [_model(result) for result in _results(site)].count("newer") == 3


def _all_done(site: Site) -> None:
    site.enqueue()
    site.work()


def _promote(site: Site, model_id: str) -> None:
    with transaction(site.engine) as session:
        promote(session, model_id, reason="test", forced=False)


def _ask_again(site: Site) -> None:
    with transaction(site.engine) as session:
        assert ask_stale_again(session, 1) == 8
        make_batches(session, 1, batch_items=4)


def _stale(site: Site) -> int:
    with reading(site.engine) as session:
        return count_stale(session, [1]).get(1, 0)


def _results(site: Site) -> list[ImageResult]:
    with reading(site.engine) as session:
        return page_of_results(session, 1, after_item=0)


def _model(result: ImageResult) -> str:
    assert result.prediction is not None
    return result.prediction.model_version
