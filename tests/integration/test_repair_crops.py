"""Crops that a disk lost are found and cut again; what cannot be is told."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from db.migrate import open_database
from db.settings import Settings, make_home
from tests.acceptance.commands import run_cli
from tests.factories import add_noop_champion, write_images


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    settings = Settings(home=make_home(folder / "home"))
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    write_images(folder / "images", 4)
    run_cli("enqueue", str(folder / "images"), settings={"TAFFRAIL_HOME": str(settings.home)})
    return folder


def test_missing_empty_and_torn_crops_are_cut_again(done: Path) -> None:
    crops = sorted((done / "home" / "crops").rglob("*.jpg"))
    whole = {crop: crop.read_bytes() for crop in crops}
    assert len(crops) >= 3
    crops[0].unlink()
    crops[1].write_bytes(b"")
    crops[2].write_bytes(whole[crops[2]][:-10])

    noticed = _check(done)
    repaired = _check(done, "--repair")

    assert noticed["verdict"] == "warning" and noticed["found"].startswith("3 of the newest")
    assert repaired["verdict"] == "ok" and repaired["found"].startswith("3 of 3")
    assert {crop: _size(crop.read_bytes()) for crop in crops} == {
        crop: _size(content) for crop, content in whole.items()
    }
    assert _check(done)["verdict"] == "ok"


def test_a_crop_whose_image_changed_is_told_of_and_not_cut_from_another_image(done: Path) -> None:
    crops = sorted((done / "home" / "crops").rglob("*.jpg"))
    kept = {crop: crop.read_bytes() for crop in crops}
    images = sorted((done / "images").rglob("*.jpg"))
    contents = {image: image.read_bytes() for image in images}
    for crop in crops:
        crop.unlink()
    for image in images:
        image.write_bytes(contents[images[0]] + b"changed")

    told = _check(done, "--repair")

    for path, content in {**kept, **contents}.items():
        path.write_bytes(content)
    assert told["verdict"] == "failed" and "another content now" in told["found"]


def _check(folder: Path, *options: str) -> dict[str, str]:
    said = run_cli("doctor", "--json", *options, settings={"TAFFRAIL_HOME": str(folder / "home")})
    checks: list[dict[str, str]] = json.loads(said.stdout)
    return next(check for check in checks if check["name"] == "crops")


def _size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        return image.size
