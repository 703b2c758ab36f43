"""Data that is taken out for good: of a job, a trip, a person; both engines' foreign keys find what is forgotten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from typer.testing import CliRunner

from annotator.quick.answer import QuickAnswer, Verdict
from annotator.quick.review import QuickReview
from cli.delete import app
from db.domain.jobs import ItemState
from db.domain.species import DEFAULT_LABEL_SET
from db.errors import NotFoundError
from db.session import reading, transaction
from db.settings import Settings, get_settings
from db.store.removal import StillRunning, remove_folder, remove_job, remove_person
from db.store.results import iterate_results
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow, JobRow
from db.tables.predictions import DetectionRow, PredictionRow
from db.tables.reviews import (
    CorrectionBoxRow,
    CorrectionRow,
    ReviewDuplicateRow,
    ReviewExportRow,
    ReviewItemRow,
)
from tests.factories import finished_job, write_images

OF_JOBS = (
    JobRow, BatchRow, ItemRow, FileRow, FolderRow, ImageRow, PredictionRow, DetectionRow, ReviewExportRow,
    ReviewItemRow, ReviewDuplicateRow, CorrectionRow, CorrectionBoxRow,
)  # fmt: skip


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Settings:
    """Job 1: two trips of three images, and one of these saved again; ana confirmed all."""
    first = write_images(tmp_path / "all" / "trip_1", 3)
    write_images(tmp_path / "all" / "trip_2", 3, seed=1)
    (tmp_path / "all" / "trip_2" / "again.jpg").write_bytes(first[0].read_bytes() + b"x")
    settings = finished_job(engine, tmp_path / "home", tmp_path / "all")
    review = QuickReview(engine, 1, label_set=DEFAULT_LABEL_SET, reviewer="ana")
    page = review.page(anew=False)
    review.answer(page.export_id, [QuickAnswer(number, Verdict.CONFIRM) for number in page.items])
    return settings


def counts(engine: Engine) -> dict[str, int]:
    with reading(engine) as session:
        return {row.__tablename__: session.scalar(select(func.count()).select_from(row)) or 0 for row in OF_JOBS}


def test_a_job_goes_with_all_that_only_it_had(engine: Engine, site: Settings, tmp_path: Path) -> None:
    with transaction(engine) as session:
        shown, *_, last = session.scalars(select(ReviewItemRow).order_by(ReviewItemRow.id))
        session.add(ReviewDuplicateRow(review_item_id=shown.id, image_id=last.image_id))
    before = counts(engine)
    with transaction(engine) as session:
        removed = remove_job(session, 1)

    assert before["corrections"] == before["images"] == 7
    assert counts(engine) == dict.fromkeys(before, 0)
    assert (removed.counts["images"], removed.counts["corrections"], removed.counts["jobs"]) == (7, 7, 1)
    assert removed.crops and all((site.home / name).is_file() for name in removed.crops)
    assert len(list((tmp_path / "all").rglob("*.jpg"))) == 7


def test_what_another_job_needs_stays(engine: Engine, site: Settings, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "all" / "trip_1", tmp_path / "other")
    finished_second_job(engine, site, tmp_path / "other")

    with transaction(engine) as session:
        removed = remove_job(session, 1)

    assert removed.counts["images"] == 4
    assert [result.review is not None for result in iterate_results(engine, 2)] == [True] * 3
    assert counts(engine)["corrections"] == counts(engine)["images"] == 3


def test_a_trip_goes_and_the_rest_of_its_job_stays(engine: Engine, site: Settings, tmp_path: Path) -> None:
    with transaction(engine) as session:
        removed = remove_folder(session, bytes(tmp_path / "all" / "trip_2"))

    assert removed.counts["images"] == 4 and removed.counts["jobs"] == 0
    assert len(list(iterate_results(engine, 1))) == 3 == counts(engine)["corrections"]
    with transaction(engine) as session, pytest.raises(NotFoundError, match="no image below it is held"):
        remove_folder(session, bytes(tmp_path / "all" / "trip_"))


def test_a_persons_answers_go_and_what_they_were_shown_stays(engine: Engine, site: Settings) -> None:
    with transaction(engine) as session:
        assert remove_person(session, "ana").counts["corrections"] == 7

    left = counts(engine)
    assert (left["corrections"], left["correction_boxes"], left["review_items"]) == (0, 0, 7)
    assert all(result.review is None for result in iterate_results(engine, 1))
    with transaction(engine) as session, pytest.raises(NotFoundError, match="answers are of: nobody yet"):
        remove_person(session, "ana")


def test_nothing_is_removed_while_images_wait(engine: Engine, site: Settings) -> None:
    with transaction(engine) as session:
        session.scalars(select(ItemRow)).first().state = ItemState.PENDING.value  # type: ignore[union-attr]
    before = counts(engine)

    with pytest.raises(StillRunning, match="cli cancel 1"), transaction(engine) as session:
        remove_job(session, 1)

    assert counts(engine) == before


def test_the_command_asks_first_and_removes_crops_but_no_image(
    engine: Engine, site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAFFRAIL_HOME", str(site.home))
    monkeypatch.setenv("TAFFRAIL_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    get_settings.cache_clear()
    before = counts(engine)

    declined = CliRunner().invoke(app, ["job", "1"], input="n\n")
    unchanged = counts(engine)
    done = CliRunner().invoke(app, ["job", "1", "--yes", "--json"])

    get_settings.cache_clear()
    assert declined.exit_code == 1 and "7 corrections" in declined.stderr and unchanged == before
    assert done.exit_code == 0 and json.loads(done.stdout)["removed"]["images"] == 7
    assert not list((site.home / "crops").rglob("*.jpg"))
    assert len(list((tmp_path / "all").rglob("*.jpg"))) == 7


def finished_second_job(engine: Engine, site: Settings, images: Path) -> None:
    """Enqueue another folder with the champion that serves already."""
    import os

    from worker.images.enqueue import enqueue_folder
    from worker.inference.tasks import InferWorker

    enqueue_folder(engine, site, os.fsencode(images))
    worker = InferWorker("tester", site)
    with reading(engine) as session:
        waiting = list(session.scalars(select(BatchRow.id).where(BatchRow.state == "pending")))
    for batch_id in waiting:
        worker.infer_batch(batch_id)
