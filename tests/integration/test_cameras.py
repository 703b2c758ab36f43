"""Cameras in the store and from the command line: found, listed, corrected by people, and never taken back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from cli.main import app
from db.domain.cameras import CameraOrigin
from db.domain.files import FoundFile
from db.domain.labels import ImageLabel
from db.domain.outcomes import SeenImage
from db.domain.species import DEFAULT_LABEL_SET
from db.errors import NotFoundError
from db.session import reading, transaction
from db.settings import get_settings
from db.store.cameras import camera_images, list_cameras, merge_cameras, set_cameras
from db.store.labels import NewLabel, add_labels, training_records
from worker.cameras.find import find_cameras, folders_tell, images_below
from worker.sample_fleet.write import write_sample_fleet


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`train/<species>/<camera>-<number>.jpg`: 30 images of 3 cameras, sorted by species as a competition does."""
    folder = tmp_path_factory.mktemp("competition")
    write_sample_fleet(folder / "fleet", images=30, cameras=3, seed=1, scale=0.25, processes=1)
    for image in json.loads((folder / "fleet" / "truth.json").read_text())["images"]:
        place = folder / "train" / image["species"]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "fleet" / "images" / image["file"], place / image["file"].replace("/", "-"))
    return folder / "train"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def _held(engine: Engine, folder: Path) -> None:
    """Hold every image below a folder, labelled by its parent's name."""
    labels = []
    for number, file in enumerate(sorted(folder.rglob("*.jpg"))):
        status = file.stat()
        found = FoundFile(os.fsencode(file.parent), os.fsencode(file.name), status.st_size, status.st_mtime_ns)
        seen = SeenImage(f"{number:064d}", 320, 180)
        labels.append(NewLabel(found, seen, ImageLabel(file.parent.name), str(file)))
    with transaction(engine) as session:
        add_labels(session, labels, root=os.fsencode(folder), source="test")


def _cameras(engine: Engine) -> dict[str, str]:
    with reading(engine) as session:
        return {os.path.basename(one.file).decode(): one.camera for one in camera_images(session)}


def _is_truth(cameras: dict[str, str]) -> bool:
    """Whether the found cameras are the boats that the file names tell: one name a boat, one boat a name."""
    pairs = {(name.split("-")[0], camera) for name, camera in cameras.items()}
    return len(pairs) == len({boat for boat, _ in pairs}) == len({camera for _, camera in pairs})


def test_folders_of_species_are_no_cameras(engine: Engine, competition: Path) -> None:
    _held(engine, competition)

    images = images_below(engine, os.fsencode(competition))

    assert {image.origin for image in images} == {CameraOrigin.FOLDER}
    assert not folders_tell(images, DEFAULT_LABEL_SET)


def test_cameras_are_found_by_background_and_training_sees_them(engine: Engine, competition: Path) -> None:
    _held(engine, competition)

    found = find_cameras(engine, images_below(engine, None))

    assert (found.looked_at, len(found.cameras), found.unreadable) == (30, 3, ())
    assert _is_truth(_cameras(engine))
    with reading(engine) as session:
        assert {record.camera for record in training_records(session)} == set(found.cameras)


def test_what_a_person_said_stays_and_names_the_images_that_look_alike(engine: Engine, competition: Path) -> None:
    _held(engine, competition)
    find_cameras(engine, images_below(engine, None))
    with transaction(engine) as session:
        first = next(iter(camera_images(session)))
        set_cameras(session, {first.image_id: "stern"}, origin=CameraOrigin.PERSON)

    again = find_cameras(engine, images_below(engine, None))

    assert again.left == 1 and again.cameras["stern"] == sum(_cameras(engine)[n] == "stern" for n in _cameras(engine))
    assert again.cameras["stern"] > 1 and _is_truth(_cameras(engine))


def test_two_cameras_that_a_person_put_together_are_not_parted_again(engine: Engine, competition: Path) -> None:
    _held(engine, competition)
    find_cameras(engine, images_below(engine, None))
    with transaction(engine) as session:
        keep, gone = (camera.name for camera in list_cameras(session)[:2])
        moved = merge_cameras(session, source=gone, target=keep)

    again = find_cameras(engine, images_below(engine, None))

    assert moved > 0 and gone not in again.cameras
    assert len(again.cameras) == 2 and again.left == moved


def test_a_merged_folder_gives_its_new_images_to_the_other_camera(engine: Engine, competition: Path) -> None:
    _held(engine, competition)
    with transaction(engine) as session:
        merge_cameras(session, source="ALB", target="YFT")

    _held(engine, competition)

    with reading(engine) as session:
        assert "ALB" not in {camera.name for camera in list_cameras(session)}


def test_a_camera_that_is_not_held_is_named(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="'bow': not held"), transaction(engine) as session:
        merge_cameras(session, source="bow", target="stern")


def test_a_competition_folder_from_the_command_line(home: None, competition: Path, tmp_path: Path) -> None:
    done = _cli("labels", "import", str(competition), "--format", "folders", "--json")
    listed = json.loads(_cli("cameras", "list", "--json").stdout)
    merged = _cli("cameras", "merge", listed[1]["name"], listed[0]["name"])
    named = _cli("cameras", "set", "*/boat_00-*.jpg", "port side")
    sheets = _cli("cameras", "sheet", str(tmp_path / "sheets"))

    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["cameras"]) == len(listed) == 3
    assert f"are of camera {listed[0]['name']} now" in merged.output
    assert "images are of camera port side" in named.output
    assert sheets.exit_code == 0 and (tmp_path / "sheets" / "cameras.png").stat().st_size > 1000


def test_folders_that_tell_cameras_are_believed(home: None, competition: Path) -> None:
    fleet = competition.parent / "fleet"

    done = _cli("labels", "import", str(fleet / "labels"), "--format", "ncfm", "--images", str(fleet / "images"))
    again = _cli("cameras", "find")

    assert done.exit_code == 0 and "the folders tell no cameras" not in done.output
    assert "the folders tell the cameras (3 of them)" in again.output
    assert "boat_00" in _cli("cameras", "list").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("find",), "no images are held"),
        (("set", "*.jpg", "bow"), "fits no image"),
        (("merge", "a", "b"), "not held"),
        (("merge", "a", "a"), "cannot be put together with itself"),
        (("sheet", "x"), "no images are held"),
    ],
    ids=["find", "set", "merge", "merge itself", "sheet"],
)
def test_bad_use_is_one_line(home: None, arguments: tuple[str, ...], said: str) -> None:
    done = _cli("cameras", *arguments)

    assert done.exit_code != 0
    assert said in (done.output + str(done.exception or ""))


def _cli(*arguments: str):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))
