"""Delivery on real databases: nothing lost, nothing doubled, nothing wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text

from db.domain.jobs import BatchState, JobCounts
from db.migrate import open_database
from db.session import reading, transaction
from db.settings import Settings
from db.store.batches import claim, give_back, mark_expired_dead, mark_worker_dead, unsent
from db.store.jobs import cancel_job, failures, get_job, make_batches, retry_job
from db.store.predictions import finish
from db.tables.images import CameraRow
from db.tables.jobs import BatchRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import add_noop_champion, write_images
from worker.images.enqueue import Enqueued, enqueue_folder
from worker.images.look_into import FolderError
from worker.inference.tasks import InferWorker


class Site:
    """One HOME with a folder of images, and a worker of ours in this process."""

    def __init__(self, engine: Engine, tmp_path: Path, **chosen: object) -> None:
        self.engine = engine
        url = engine.url.render_as_string(hide_password=False)
        values = {"TAFFRAIL_DATABASE_URL": url, "home": tmp_path / "home", "batch_items": 4, **chosen}
        self.settings = Settings(**values)  # type: ignore[arg-type]
        self.images = tmp_path / "images"
        add_noop_champion(engine, self.settings.models_dir)
        self.worker = InferWorker("tester", self.settings)

    def enqueue(self) -> Enqueued:
        return enqueue_folder(self.engine, self.settings, os.fsencode(self.images))

    def work(self) -> None:
        while batch_ids := self.pending():
            for batch_id in batch_ids:
                self.worker.infer_batch(batch_id)

    def pending(self) -> list[int]:
        with reading(self.engine) as session:
            waiting = select(BatchRow.id).where(BatchRow.state == BatchState.PENDING).order_by(BatchRow.id)
            return list(session.scalars(waiting))

    def counts(self, job_id: int = 1) -> JobCounts:
        with reading(self.engine) as session:
            return get_job(session, job_id).counts

    def number_of(self, row: type) -> int:
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).select_from(row)) or 0


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Site:
    return Site(engine, tmp_path)


def test_a_folder_becomes_predictions_boxes_and_crops_on_disk(site: Site) -> None:
    write_images(site.images / "cam_1", 6)
    write_images(site.images / "cam_2", 3, seed=1)

    done = site.enqueue()
    site.work()

    assert (done.registered.new, done.registered.known) == (9, 0)
    assert site.counts() == JobCounts(done=9)
    assert site.number_of(PredictionRow) == 9
    with reading(site.engine) as session:
        crops = list(session.scalars(select(DetectionRow.crop_file)))
        assert set(session.scalars(select(CameraRow.name))) == {"cam_1", "cam_2"}
    assert crops and all(name and (site.settings.home / name).is_file() for name in crops)


def test_the_same_folder_again_adds_nothing_and_a_copy_is_inferred_once(site: Site) -> None:
    files = write_images(site.images, 5)
    site.enqueue()
    site.work()
    (site.images / "copy.jpg").write_bytes(files[0].read_bytes())

    again = site.enqueue()
    site.work()

    assert (again.job_id, again.registered.new, again.registered.known) == (1, 1, 5)
    assert site.counts() == JobCounts(done=6)
    assert site.number_of(PredictionRow) == 5


def test_a_changed_file_is_asked_again(site: Site) -> None:
    files = write_images(site.images, 3)
    site.enqueue()
    site.work()
    files[0].write_bytes(files[0].read_bytes() + b"\0\0")

    again = site.enqueue()

    assert (again.registered.changed, again.registered.known) == (1, 2)
    assert site.counts() == JobCounts(done=2, pending=1)


def test_a_folder_within_that_is_enqueued_meanwhile_takes_nothing_away(site: Site) -> None:
    write_images(site.images / "cam_1", 3)
    write_images(site.images / "cam_2", 2, seed=1)

    def enqueue_inner(_: int) -> None:
        enqueue_folder(site.engine, site.settings, os.fsencode(site.images / "cam_1"))

    outer = enqueue_folder(site.engine, site.settings, os.fsencode(site.images), progress=enqueue_inner)
    site.work()

    assert outer.registered.new == 5
    assert site.counts(outer.job_id) == JobCounts(done=5)


def test_unreadable_files_fail_alone_with_their_reason(site: Site) -> None:
    files = write_images(site.images, 4)
    files[1].write_bytes(files[1].read_bytes()[:400])
    (site.images / "empty.png").touch()
    (site.images / "text.jpg").write_text("no image")
    os.mkfifo(site.images / "pipe.jpg")
    (site.images / "out.jpg").symlink_to("/etc/passwd")
    duplicate = site.images / "text2.jpg"
    duplicate.write_text("no image")

    site.enqueue()
    site.work()

    assert site.counts() == JobCounts(done=3, failed=6)
    with reading(site.engine) as session:
        reasons = {os.path.basename(path): text for path, text in failures(session, 1, limit=99)}
    assert reasons[b"pipe.jpg"].startswith("not a regular file")
    assert reasons[b"out.jpg"].startswith("outside the root")
    assert reasons[b"empty.png"].startswith("empty")


def test_only_one_of_two_messages_of_a_batch_does_anything(site: Site) -> None:
    write_images(site.images, 2)
    site.enqueue()

    with transaction(site.engine) as session:
        first = claim(session, 1, worker="a", now_s=0.0, lease_s=60.0)
        second = claim(session, 1, worker="b", now_s=0.0, lease_s=60.0)

    assert first is not None and len(first.items) == 2
    assert second is None


def test_a_zombie_that_finishes_after_its_lease_ran_out_writes_nothing(site: Site) -> None:
    write_images(site.images, 2)
    site.enqueue()
    with transaction(site.engine) as session:
        zombie = claim(session, 1, worker="zombie", now_s=0.0, lease_s=60.0)
        assert mark_expired_dead(session, now_s=61.0) == 1

    assert zombie is not None
    with transaction(site.engine) as session:
        assert not finish(session, zombie, [], model_version="noop")
    site.work()

    assert site.counts() == JobCounts(done=2)


def test_a_lease_written_under_a_clock_far_ahead_counts_as_expired(site: Site) -> None:
    write_images(site.images, 1)
    site.enqueue()

    with transaction(site.engine) as session:
        claim(session, 1, worker="a", now_s=7200.0, lease_s=60.0)
        assert mark_expired_dead(session, now_s=0.0) == 1


def test_a_batch_that_a_frozen_worker_locks_makes_nobody_wait(postgres_url: str, tmp_path: Path) -> None:
    site = Site(open_database(postgres_url), tmp_path)  # SQLite has one lock for all
    write_images(site.images, 8)
    site.enqueue()
    with transaction(site.engine) as session:
        held = claim(session, 1, worker="frozen", now_s=0.0, lease_s=1.0)
    assert held is not None

    with site.engine.connect() as frozen, transaction(site.engine) as session:
        frozen.execute(text("SELECT id FROM batches FOR UPDATE"))  # in the middle of a write of each
        session.execute(text("SET LOCAL lock_timeout = '2s'"))
        marked_dead = mark_expired_dead(session, now_s=100.0)
        taken = claim(session, 2, worker="other", now_s=100.0, lease_s=1.0)

    assert (marked_dead, taken) == (0, None)
    with transaction(site.engine) as session:
        assert mark_expired_dead(session, now_s=100.0) == 1
        assert claim(session, 2, worker="other", now_s=100.0, lease_s=1.0) is not None
    site.engine.dispose()


def test_a_image_that_kills_is_isolated_and_quarantined_and_its_neighbours_are_done(site: Site) -> None:
    write_images(site.images, 4)
    site.enqueue()

    _die_at(site, killer_item=3)

    assert site.counts() == JobCounts(done=3, quarantined=1)
    with reading(site.engine) as session:
        assert "3 times its worker died" in failures(session, 1, limit=1)[0][1]


def _die_at(site: Site, *, killer_item: int) -> None:
    while batch_ids := site.pending():
        for batch_id in batch_ids:
            with transaction(site.engine) as session:
                held = claim(session, batch_id, worker="doomed", now_s=0.0, lease_s=60.0)
                assert held is not None
                if killer_item in {item.item_id for item in held.items}:
                    mark_worker_dead(session, "doomed", reason="its worker died")
                    continue
                give_back(session, held)
            site.worker.infer_batch(batch_id)


def test_giving_a_batch_back_counts_no_death(site: Site) -> None:
    write_images(site.images, 1)
    site.enqueue()

    for _ in range(5):
        with transaction(site.engine) as session:
            held = claim(session, 1, worker="a", now_s=0.0, lease_s=60.0)
            assert held is not None
            assert give_back(session, held)
    site.work()

    assert site.counts() == JobCounts(done=1)


def test_without_a_champion_the_batch_waits(engine: Engine, tmp_path: Path) -> None:
    site = Site(engine, tmp_path)
    with transaction(engine) as session:
        from db.tables.models import ModelVersionRow

        session.get_one(ModelVersionRow, "noop").state = "retired"
    write_images(site.images, 1)
    site.enqueue()

    site.worker.infer_batch(1)

    assert site.counts() == JobCounts(pending=1)
    with reading(engine) as session:
        assert unsent(session, sent_before_s=None) == [1]


def test_a_cancelled_job_keeps_what_is_done_and_retry_brings_the_rest_back(site: Site) -> None:
    write_images(site.images, 6)
    site.enqueue()
    site.worker.infer_batch(1)

    with transaction(site.engine) as session:
        assert cancel_job(session, 1) == 2
    assert site.counts() == JobCounts(done=4, cancelled=2)
    with transaction(site.engine) as session:
        assert retry_job(session, 1) == 2
        make_batches(session, 1, batch_items=4)
    site.work()

    assert site.counts() == JobCounts(done=6)


def test_names_that_are_no_text_are_images_like_others(site: Site) -> None:
    files = write_images(site.images, 2)
    os.rename(files[0], os.fsencode(site.images) + b"/f\xffn\n.jpg")
    os.rename(files[1], site.images / "noextension")

    site.enqueue()
    site.work()

    assert site.counts() == JobCounts(done=2)


def test_a_folder_that_is_none_is_told_in_one_line(site: Site) -> None:
    with pytest.raises(FolderError, match="not a folder"):
        site.enqueue()
