"""An image's whole story, from its file to the models that it taught."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from db.domain.labels import ImageLabel
from db.errors import NotFoundError
from db.session import reading
from db.store.lineage import find_image, story_of
from db.tables.jobs import BatchRow
from tests.drawn_fish import draw_fish
from tests.factories import add_noop_champion
from tests.learning_site import FakeSteps, LearningSite
from worker.images.enqueue import enqueue_folder
from worker.inference.tasks import InferWorker
from worker.retraining.retrain import RetrainOutcome, RetrainRequest, retrain
from worker.training.data.samples import TrainingSample


@pytest.fixture
def site(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    return LearningSite(engine, tmp_path / "home", monkeypatch, held_out_share="0.4")


@pytest.fixture
def samples(tmp_path: Path) -> list[TrainingSample]:
    found = []
    for number in range(18):
        folder = tmp_path / "fleet" / f"boat_{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        found.append(draw_fish(folder, number, ("ALB", "LAG", "NoF")[number // 3 % 3], folder.name))
    return found


def test_the_story_names_files_jobs_models_people_and_data_sets(
    site: LearningSite, samples: list[TrainingSample], tmp_path: Path
) -> None:
    add_noop_champion(site.engine, site.settings.models_dir)
    _enqueue_and_infer(site, tmp_path / "fleet")
    site.label(samples)
    site.correct({samples[0].sha256: ImageLabel("NoF")}, reviewer="ana")
    done = retrain(
        site.engine,
        site.settings,
        RetrainRequest(),
        progress=lambda *_: None,
        steps=FakeSteps(site.settings, site.engine),
    )
    assert isinstance(done, RetrainOutcome) and done.kept is not None

    with reading(site.engine) as session:
        story = story_of(session, find_image(session, samples[0].file))
        same = story_of(session, find_image(session, samples[0].sha256[:10].encode()))

    assert same == story and story.sha256 == samples[0].sha256
    assert story.files == (os.fsdecode(samples[0].file),) and story.camera == "boat_0"
    assert [(job.job_id, job.shows_model) for job in story.jobs] == [(1, "noop")]
    assert [(said.model_id, said.state) for said in story.predictions] == [("noop", "retired")]
    assert [(said.kind, said.who, said.species) for said in story.sayings] == [
        ("label", "drawn", "ALB"),
        ("correction", "ana", "NoF"),
    ]
    assert len(story.exports) == 1
    assert [(one.origin, one.species, one.models) for one in story.datasets] == [
        ("correction", "NoF", (done.kept.model_id,))
    ]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("/no/such.jpg", "no image known by this path"), ("abcdef", "no image has"), ("abc", "6 or more digits")],
)
def test_what_is_not_known_is_one_line(site: LearningSite, wanted: str, said: str) -> None:
    with reading(site.engine) as session, pytest.raises(NotFoundError, match=said):
        find_image(session, wanted.encode())


def _enqueue_and_infer(site: LearningSite, folder: Path) -> None:
    enqueue_folder(site.engine, site.settings, os.fsencode(folder))
    worker = InferWorker("tester", site.settings)
    with reading(site.engine) as session:
        batch_ids = list(session.scalars(select(BatchRow.id)))
    for batch_id in batch_ids:
        worker.infer_batch(batch_id)
