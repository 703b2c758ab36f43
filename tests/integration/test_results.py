"""A job's results out of real databases: every item once, whatever its name and whatever became of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine, update

from annotator.label_formats.import_labels import ImportOptions, LabelFormat, import_labels
from db.domain.answers import final_answer
from db.domain.boxes import Box
from db.domain.files import FoundFile
from db.domain.jobs import ItemState
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.outcomes import SeenImage
from db.domain.species import DEFAULT_LABEL_SET
from db.domain.taken_with import UNTOLD, TakenWith
from db.errors import NotFoundError
from db.session import reading, transaction
from db.store import results as store
from db.store.results import iterate_results, label_set_of_models, models_of_job, results_with_heatmaps
from db.tables.images import CameraRow, ImageRow
from db.tables.jobs import ItemRow
from db.tables.models import ModelVersionRow
from tests.answers import store_answers
from tests.factories import add_noop_champion, finished_job, write_images
from worker.images.decode import measure_image
from worker.images.read import read_image_file
from worker.images.scan import scan_folder
from worker.results.export import export_results
from worker.results.names import ResultFormat
from worker.results.options import ResultOptions
from worker.vision.heatmaps import unpack_heatmap


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Seven images of two cameras, one of them with a name that is no text and a time, and a torn one."""
    folder = tmp_path / "images"
    write_images(folder / "cam_1", 5)
    files = write_images(folder / "cam_2", 2, seed=1)
    exif = Image.Exif()
    exif[0x0132] = "2024:03:02 01:02:03"
    exif[0x0110] = "Deck 2"
    exif.get_ifd(0x8769)[0xA431] = "0042"
    exif.get_ifd(0x8825).update({1: "S", 2: (21.0, 30.0, 0.0), 3: "E", 4: (55.0, 15.0, 36.0)})
    with Image.open(files[0]) as image:
        image.save(files[0], exif=exif)
    os.rename(files[0], os.fsencode(folder) + b"/cam_2/f\xff\n.jpg")
    (folder / "cam_1" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    return folder


def test_pages_give_every_item_once_in_order(
    engine: Engine, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished_job(engine, tmp_path / "home", images)
    monkeypatch.setattr(store, "PAGE", 3)

    found = list(iterate_results(engine, 1))

    by_name = {result.relative: result for result in found}
    odd, torn = by_name[b"cam_2/f\xff\n.jpg"], by_name[b"cam_1/torn.jpg"]
    assert [result.item_id for result in found] == sorted({result.item_id for result in found})
    assert len(found) == 8
    assert (odd.path, odd.camera, odd.captured_at) == ("cam_2/f\\xff\n.jpg", "cam_2", "2024-03-02T01:02:03")
    assert odd.taken_with == TakenWith(-21.5, 55.26, "Deck 2", "0042")
    assert by_name[b"cam_1/0000.jpg"].taken_with == UNTOLD
    assert odd.file == os.fsencode(images) + b"/cam_2/f\xff\n.jpg"
    assert (torn.state, torn.prediction, torn.reason) == (ItemState.FAILED, None, "not an image")
    prediction = by_name[b"cam_1/0000.jpg"].prediction
    assert prediction is not None and prediction.species == DEFAULT_LABEL_SET.names
    assert sum(prediction.probabilities) == pytest.approx(1.0) and prediction.heatmap is None
    assert prediction.predicted_at.endswith("+00:00")


def test_heat_maps_come_where_they_are_asked_for(engine: Engine, tmp_path: Path, images: Path) -> None:
    finished_job(engine, tmp_path / "home", images)

    with reading(engine) as session:
        (found,) = results_with_heatmaps(session, 1, [1])

    assert found.prediction is not None and found.prediction.heatmap is not None
    assert unpack_heatmap(found.prediction.heatmap).shape == (6, 10, 8)  # the noop model's grid of a 90 x 160 input


def test_a_images_own_camera_counts_before_its_folders(engine: Engine, tmp_path: Path, images: Path) -> None:
    finished_job(engine, tmp_path / "home", images)
    with transaction(engine) as session:
        session.add(CameraRow(id=99, name="stern"))
        session.flush()
        session.execute(update(ImageRow).where(ImageRow.id == 1).values(camera_id=99))

    cameras = [result.camera for result in iterate_results(engine, 1)]

    assert cameras.count("stern") == 1


def test_a_persons_last_decision_comes_with_the_image_and_closes_it(
    engine: Engine, tmp_path: Path, images: Path
) -> None:
    finished_job(engine, tmp_path / "home", images)
    first, second, third, *_ = [found.sha256 for found in iterate_results(engine, 1) if found.sha256]
    fish = LabelledBox(Box(10, 20, 60, 50), "BET")
    store_answers(engine, {first: ImageLabel("NoF"), third: None})
    store_answers(engine, {first: ImageLabel("BET", (fish,))}, reviewer="bo")
    store_answers(engine, {first: None}, reviewer="cy")

    found = {result.sha256: result for result in iterate_results(engine, 1)}

    review = found[first].review
    assert review is not None and (review.reviewer, review.label) == ("bo", ImageLabel("BET", (fish,)))
    answer = final_answer(found[first])
    assert answer is not None and (answer.species, answer.reviewer, found[first].is_open(below=1.0)) == (
        "BET",
        "bo",
        False,
    )
    assert found[second].review is found[third].review is None
    assert found[second].is_open(below=1.0) and found[third].is_open(below=1.0)


def test_the_label_set_is_that_of_every_model_in_the_job(engine: Engine, tmp_path: Path, images: Path) -> None:
    finished_job(engine, tmp_path / "home", images)
    add_noop_champion(engine, tmp_path / "home" / "models", model_id="other", state="retired")
    with transaction(engine) as session:
        session.get_one(ModelVersionRow, "other").card = {"species": ["ALB", "NoF", "SWO"]}

    with reading(engine) as session:
        models = models_of_job(session, 1)
        both = label_set_of_models(session, [*models, "other"], default=DEFAULT_LABEL_SET)

    assert models == ("noop",)
    assert both.names == (*DEFAULT_LABEL_SET.names, "SWO")


def test_what_has_no_place_in_a_format_is_counted(engine: Engine, tmp_path: Path, images: Path) -> None:
    finished_job(engine, tmp_path / "home", images)
    with transaction(engine) as session:
        session.execute(update(ItemRow).where(ItemRow.id == 2).values(state="pending", prediction_id=None))

    left_out = {kind: _export(engine, tmp_path / f"out.{kind}", kind) for kind in ResultFormat}

    assert left_out == dict.fromkeys(ResultFormat, 2) | {"json": 0, "csv": 0, "events": 0, "megadetector": 1}


def test_a_job_that_is_none_is_told(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="job 5"):
        _export(engine, tmp_path / "out", ResultFormat.CSV, job_id=5)


@pytest.mark.parametrize("kind", [ResultFormat.COCO, ResultFormat.YOLO], ids=["coco", "yolo"])
def test_what_goes_out_comes_in_again_as_labels(
    engine: Engine, tmp_path: Path, images: Path, kind: ResultFormat
) -> None:
    (images / "cam_1" / "torn.jpg").unlink()
    finished_job(engine, tmp_path / "home", images)
    _export(engine, tmp_path / "out", kind)
    sent = {result.relative: result for result in iterate_results(engine, 1)}
    answers = sum(1 for result in sent.values() if result.prediction and result.prediction.final_species != "NoF")

    root = os.fsencode(images)
    options = ImportOptions(tmp_path / "out", LabelFormat(kind.value), root, DEFAULT_LABEL_SET, _look)
    done = import_labels(engine, options, scan_folder(root, on_problem=lambda *_: None, leave_out=b""))

    # COCO names images in text, so the one whose name is none is not found again; YOLO's files keep the bytes.
    assert done.labelled == (6 if kind is ResultFormat.COCO else 7)
    assert done.boxes >= answers - 1
    assert [problem for problem in done.problems if "xff" not in problem] == []


def _look(file: FoundFile) -> SeenImage:
    read = read_image_file(file.folder + b"/" + file.name)
    size = measure_image(read.content)
    return SeenImage(read.sha256, size.width_px, size.height_px, size.captured_at)


def _export(engine: Engine, out: Path, kind: ResultFormat, *, job_id: int = 1) -> int:
    options = ResultOptions(kind, position=(0.0, 0.0))
    return export_results(engine, job_id, out, options, default=DEFAULT_LABEL_SET).left_out
