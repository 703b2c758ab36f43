"""Videos in a job: frames are images like others, decoded once and in order, and a damaged video harms only itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from annotator.export.image_files import Images, bring_image
from cli.review.fetch import fetch_url
from db.domain.jobs import BatchState, ItemState
from db.domain.results import ImageResult
from db.session import reading
from db.settings import Settings
from db.store.jobs import failures
from db.store.results import iterate_results
from db.tables.images import ImageRow
from db.tables.jobs import BatchRow
from tests.drawn_videos import SIZE_PX, number_of, write_sound, write_video
from tests.factories import add_noop_champion, write_images
from worker.images.decode import decode_image
from worker.images.enqueue import Enqueued, enqueue_folder
from worker.images.frame_choice import FrameChoice
from worker.images.frames import close_videos
from worker.images.read import read_image_file
from worker.inference.tasks import InferWorker
from worker.videos.read import VideoReader

TENTHS = [number / 10 for number in range(30)]
ALL = FrameChoice(every_s=0.0)


class Site:
    """One HOME, a folder `trip/cam1`, and a worker of ours in this process."""

    def __init__(self, engine: Engine, tmp_path: Path) -> None:
        self.engine, self.trip, self.camera = engine, tmp_path / "trip", tmp_path / "trip" / "cam1"
        self.camera.mkdir(parents=True)
        url = engine.url.render_as_string(hide_password=False)
        values = {"TAFFRAIL_DATABASE_URL": url, "home": tmp_path / "home", "batch_items": 8, "network_batch": 4}
        self.settings = Settings(**values)  # type: ignore[arg-type]
        add_noop_champion(engine, self.settings.models_dir)

    def enqueue(self, choice: FrameChoice = ALL) -> Enqueued:
        return enqueue_folder(self.engine, self.settings, os.fsencode(self.trip), choice=choice)

    def work(self, *, batches: int | None = None) -> None:
        worker = InferWorker("tester", self.settings)
        for batch_id in self._pending()[:batches]:
            worker.infer_batch(batch_id)
        worker.close()

    def results(self) -> list[ImageResult]:
        return list(iterate_results(self.engine, 1))

    def _pending(self) -> list[int]:
        with reading(self.engine) as session:
            waiting = select(BatchRow.id).where(BatchRow.state == BatchState.PENDING).order_by(BatchRow.id)
            return list(session.scalars(waiting))


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Iterator[Site]:
    yield Site(engine, tmp_path)
    close_videos()


def test_images_and_videos_of_a_folder_are_one_job(site: Site) -> None:
    write_images(site.camera, 2)
    write_video(site.camera / "clip.mp4", times_s=TENTHS, created="2024-05-06T07:08:09Z")

    site.enqueue()
    site.work()

    results = site.results()
    assert [result.state for result in results] == [ItemState.DONE] * 32
    frames = [result for result in results if "#t=" in result.path]
    assert [frame.path for frame in frames[:2]] == ["cam1/clip.mp4#t=0.000000", "cam1/clip.mp4#t=0.100000"]
    assert {(frame.camera, frame.width_px, frame.height_px) for frame in frames} == {("cam1", *SIZE_PX)}
    assert len({frame.sha256 for frame in frames}) == 30
    assert frames[12].captured_at == "2024-05-06T07:08:10.200"
    with reading(site.engine) as session:
        assert set(session.scalars(select(ImageRow.captured_from))) == {None, "container"}


def test_of_a_video_one_frame_a_second_is_taken(site: Site) -> None:
    write_video(site.camera / "clip.mp4", times_s=[number / 4 for number in range(14)])

    site.enqueue(FrameChoice(every_s=1.0))

    assert [result.path for result in site.results()] == [f"cam1/clip.mp4#t={second}.000000" for second in range(4)]


def test_only_frames_that_show_something_new_are_taken_where_that_is_asked(site: Site) -> None:
    write_video(site.camera / "clip.mp4", times_s=[number / 4 for number in range(20)], same_from=4)

    site.enqueue(FrameChoice(every_s=0.5, changed_only=True))

    # Frames 0, 2 and 4 differ by ten grey levels each; after that nothing moves.
    assert [result.path.split("=")[1] for result in site.results()] == ["0.000000", "0.500000", "1.000000"]


def test_what_is_done_is_not_decoded_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(site.camera / "clip.mp4", times_s=TENTHS)
    site.enqueue()
    site.work(batches=2)  # and then the worker was killed
    close_videos()
    read = _count_frames(monkeypatch)

    site.enqueue()
    site.work()

    assert [result.state for result in site.results()] == [ItemState.DONE] * 30
    assert read == [pytest.approx(number / 10) for number in range(16, 30)]


def test_a_damaged_video_gives_its_frames_then_its_reason_and_its_neighbours_are_unharmed(site: Site) -> None:
    damaged = write_video(site.camera / "a.mkv", times_s=TENTHS)
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size * 2 // 3])
    write_video(site.camera / "b.mp4", times_s=TENTHS[:5])
    write_sound(site.camera / "c.mp4")
    (site.camera / "d.mp4").write_bytes(b"")
    (site.camera / "e.ts").write_bytes(b"no video at all" * 50)

    site.enqueue()
    site.work()

    done = [result.path for result in site.results() if result.state is ItemState.DONE]
    assert sum("b.mp4" in path for path in done) == 5
    assert sum("a.mkv" in path for path in done) >= 8
    with reading(site.engine) as session:
        reasons = {os.path.basename(path).decode(): reason for path, reason in failures(session, 1, limit=99)}
    assert reasons["a.mkv"].startswith("damaged video: it ends at")
    assert reasons["c.mp4"] == "sound only: it has no picture stream"
    assert reasons["d.mp4"] == "no frames: the file has no bytes"
    assert reasons["e.ts"].startswith("not a video: ")


def test_a_video_that_is_gone_or_leads_out_of_the_folder_fails_like_any_file(site: Site, tmp_path: Path) -> None:
    outside = write_video(tmp_path / "outside.mp4", times_s=TENTHS[:3])
    (site.camera / "link.mp4").symlink_to(outside)
    gone = write_video(site.camera / "gone.mp4", times_s=TENTHS[:2])
    site.enqueue()
    gone.unlink()

    site.work()

    reasons = {result.path.split("#")[0]: result.reason for result in site.results()}
    assert reasons == {"cam1/link.mp4": "outside the root", "cam1/gone.mp4": "missing"}


def test_a_frame_that_a_person_is_shown_is_written_and_is_the_one_that_was_seen(site: Site, tmp_path: Path) -> None:
    write_video(site.camera / "clip.mkv", times_s=TENTHS)
    site.enqueue()
    site.work()
    frame = site.results()[17]

    assert frame.sha256 is not None
    name = bring_image(frame.file, tmp_path / "00001_clip", sha256=frame.sha256, images=Images.COPY, fetch=fetch_url)

    assert name == "00001_clip.bmp"
    content = (tmp_path / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == frame.sha256
    assert number_of(decode_image(content).pixels) == 17
    assert read_image_file(os.fsencode(tmp_path / name)).sha256 == frame.sha256


def _count_frames(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that every frame's time is added to when it is read."""
    read: list[float] = []
    frame_at = VideoReader.frame_at

    def counted(self: VideoReader, time_s: float) -> object:
        read.append(time_s)
        return frame_at(self, time_s)

    monkeypatch.setattr(VideoReader, "frame_at", counted)
    return read
