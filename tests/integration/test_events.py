"""Events of a job: found in stored detections, kept with their sightings, asked about once, and answered as a whole."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from annotator.corrections.import_corrections import import_reviews
from annotator.export.export_events import export_events
from annotator.export.export_flagged import ReviewExportOptions
from cli.review.fetch import fetch_url
from db.domain.answers import model_answer
from db.domain.events import Event, EventState, count_events
from db.domain.frames import split_frame
from db.domain.jobs import BatchState
from db.session import reading, transaction
from db.settings import Settings
from db.store.events import events_of_job, replace_events, sightings_of_events
from db.store.results import iterate_results
from db.tables.jobs import BatchRow
from tests.drawn_videos import write_video
from tests.factories import add_noop_champion
from worker.events.find_in_job import FoundEvents, find_events
from worker.images.enqueue import enqueue_folder
from worker.images.frame_choice import FrameChoice
from worker.images.frames import close_videos
from worker.inference.tasks import InferWorker
from worker.report.write import ReportOptions, write_report
from worker.results.export import export_results
from worker.results.names import ResultFormat
from worker.results.options import ResultOptions


class Site:
    """A job of two cameras with a video each; the model that needs no network sees one fish in each frame."""

    def __init__(self, engine: Engine, tmp_path: Path) -> None:
        self.engine, self.trip = engine, tmp_path / "trip"
        url = engine.url.render_as_string(hide_password=False)
        self.settings = Settings(**{"TAFFRAIL_DATABASE_URL": url, "home": tmp_path / "home"})  # type: ignore[arg-type]
        add_noop_champion(engine, self.settings.models_dir)
        for camera, created, first in (("cam1", "2024-05-06T07:08:00Z", 0), ("cam2", None, 20)):
            (self.trip / camera).mkdir(parents=True)
            # Frames of one second, then nothing for ten minutes, then one second more: two animals.
            times_s = [*(number / 10 for number in range(10)), *(600 + number / 10 for number in range(10))]
            write_video(self.trip / camera / "clip.mp4", times_s=times_s, created=created, first=first)
        enqueue_folder(engine, self.settings, os.fsencode(self.trip), choice=FrameChoice(every_s=0.0))
        worker = InferWorker("tester", self.settings)
        for batch_id in self._pending():
            worker.infer_batch(batch_id)
        worker.close()

    def find(self) -> FoundEvents:
        found = find_events(iterate_results(self.engine, 1), None, settings=self.settings)
        with transaction(self.engine) as session:
            replace_events(session, 1, found.events, follower=None)
        return found

    def events(self) -> list[Event]:
        with reading(self.engine) as session:
            return events_of_job(session, 1)

    def images_with_a_fish(self) -> dict[tuple[str, str], list[float]]:
        """Return the times of the frames that the model sees a fish in, by camera and half of its video."""
        held: dict[tuple[str, str], list[float]] = {}
        for result in iterate_results(self.engine, 1):
            frame = split_frame(result.file)
            assert frame is not None and result.prediction is not None
            if model_answer(result.prediction).boxes:
                held.setdefault((result.camera, "first" if frame[1] < 300 else "second"), []).append(frame[1])
        return held

    def export(self, out: Path) -> None:
        options = ReviewExportOptions(99, 0.0, self.settings.label_set, fetch=fetch_url)
        export_events(out, 1, options, engine=self.engine, model_version="noop")

    def _pending(self) -> list[int]:
        with reading(self.engine) as session:
            waiting = select(BatchRow.id).where(BatchRow.state == BatchState.PENDING).order_by(BatchRow.id)
            return list(session.scalars(waiting))


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Site:
    made = Site(engine, tmp_path)
    close_videos()
    return made


def test_each_animal_is_held_once_with_its_time_and_its_images(site: Site) -> None:
    found = site.find()
    site.find()  # again: events are replaced, not added

    events = site.events()
    boxed = site.images_with_a_fish()
    assert found.images == 40
    assert [(event.number, event.camera) for event in events] == [(1, "cam1"), (2, "cam1"), (3, "cam2"), (4, "cam2")]
    assert [event.images for event in events] == [len(boxed[place]) for place in sorted(boxed)]
    first, last = boxed["cam1", "first"][0], boxed["cam1", "second"][-1]
    assert events[0].started_at == f"2024-05-06T07:08:0{first:.3f}"
    assert events[1].ended_at == f"2024-05-06T07:18:0{last - 600:.3f}"
    # The second camera's video tells no time: how far its frames are apart is known all the same.
    assert events[2].started_at is None
    assert events[2].lasts_s == pytest.approx(boxed["cam2", "first"][-1] - boxed["cam2", "first"][0])
    with reading(site.engine) as session:
        sightings = sightings_of_events(session, 1)
    assert [len(sightings[event.event_id]) for event in events] == [event.images for event in events]
    assert all(event.best in sightings[event.event_id] for event in events)


def test_a_person_looks_once_an_animal_and_the_answer_is_the_events(site: Site, tmp_path: Path) -> None:
    site.find()
    out = tmp_path / "review"
    site.export(out)
    files = sorted(out.glob("0*.json"))
    _answer(files[0], lambda shapes: [{**shape, "label": "SHARK"} for shape in shapes])
    _answer(files[1], lambda shapes: [])

    import_reviews(out, engine=site.engine, label_set=site.settings.label_set, reviewer="ann")
    site.find()  # answers are about detections: they hold when events are found again

    states = [event.state for event in site.events()]
    assert len(files) == 4
    assert sorted(states) == [EventState.CONFIRMED, EventState.NO_ANIMAL, EventState.UNSEEN, EventState.UNSEEN]
    [named] = [event for event in site.events() if event.state is EventState.CONFIRMED]
    assert (named.species, named.reviewer) == ("SHARK", "ann")
    assert sum(sum(species.values()) for species in count_events(site.events()).values()) == 3


def test_results_hold_every_animal_once(site: Site, tmp_path: Path) -> None:
    site.find()
    for result_format, name in ((ResultFormat.EVENTS, "events.csv"), (ResultFormat.JSON, "all.json")):
        options = ResultOptions(result_format)
        export_results(site.engine, 1, tmp_path / name, options, default=site.settings.label_set)

    rows = list(csv.DictReader((tmp_path / "events.csv").open()))
    entries = json.loads((tmp_path / "all.json").read_text())["events"]
    assert [row["camera"] for row in rows] == ["cam1", "cam1", "cam2", "cam2"]
    assert [entry["event"] for entry in entries] == [1, 2, 3, 4]
    assert rows[0]["best_image"].startswith("cam1/clip.mp4#t=")


def test_the_report_shows_each_animal_on_its_cameras_timeline(site: Site, tmp_path: Path) -> None:
    site.find()

    write_report(site.engine, site.settings, 1, tmp_path / "report", ReportOptions(max_images=2, processes=1))

    page = (tmp_path / "report" / "events.html").read_text()
    assert page.count('<details class="event"') == 4
    assert "cam1, 2024-05-06: 2 animals" in page
    assert "cam2, no clock: 2 animals" in page
    shown = {name for name in re.findall(r'src="(images/[0-9]+[.]jpg)"', page)}
    # Two images are drawn because the report was asked for two, and the best of each animal in any case.
    assert len(shown) >= 4
    assert all((tmp_path / "report" / name).is_file() for name in shown)


def _answer(file: Path, change: object) -> None:
    """Do what a person does in labelme: change the shapes, and say that the image was looked at."""
    assert callable(change)
    content = json.loads(file.read_text())
    content["shapes"] = change(content["shapes"])
    content["flags"]["reviewed" if content["shapes"] else "no_fish"] = True
    file.write_text(json.dumps(content))
