"""A competition folder as it is downloaded goes through `cli labels import` and `cli evaluate` without a change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.acceptance.commands import run_cli

SIZES = ((192, 128), (208, 128), (192, 144))  # three boats


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """`train/ALB/img_00003.jpg` and box lists with the oddities of the real ones; no file for images without fish."""
    boxes: dict[str, list[dict[str, object]]] = {"ALB": [], "LAG": []}
    for number in range(24):
        species, size = ("ALB", "LAG", "NoF")[number % 3], SIZES[number // 3 % 3]
        rng = np.random.default_rng(number)
        deck = np.random.default_rng(size).integers(40, 180, (32, 48, 3), dtype=np.uint8)
        image = Image.fromarray(deck).resize(size, Image.Resampling.NEAREST)
        file = tmp_path / "train" / species / f"img_{number:05d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.putpixel((number, 5), (0, 0, 0))  # no two are the same file
        if species in boxes:
            x, y = int(rng.integers(0, 120)), int(rng.integers(0, 80))
            image.paste((230, 60, 40) if species == "ALB" else (40, 80, 230), (x, y, x + 64, y + 40))
            rect = {"class": "rect", "x": x, "y": y, "width": 64, "height": 40}
            boxes[species].append({"filename": file.name, "class": "image", "annotations": [rect]})
        image.save(file, quality=92)
    albacores = boxes["ALB"]
    albacores[0]["filename"] = f"../data/train/ALB/{albacores[0]['filename']}"
    del albacores[1]["annotations"]
    albacores[2]["annotations"][0]["width"] = 9999  # type: ignore[index]
    albacores[3]["annotations"] += [{"class": "head", "x": 9, "y": 9}, {"class": "tail", "x": 40, "y": 30}]  # type: ignore
    albacores.append({"filename": "img_99999.jpg", "class": "image", "annotations": []})
    for species, records in boxes.items():
        (tmp_path / "boxes").mkdir(exist_ok=True)
        (tmp_path / "boxes" / f"{species.lower()}_labels.json").write_text(json.dumps(records))
    return tmp_path


def test_a_competition_folder_is_imported_and_evaluated_as_it_is(competition: Path) -> None:
    settings = {"TAFFRAIL_HOME": str(competition / "home")}
    folder = str(competition / "train")

    imported = run_cli(
        "labels", "import", str(competition / "boxes"), "--format", "ncfm", "--images", folder, settings=settings
    )
    evaluated = run_cli("evaluate", "--heads", "gap", "--size", "64x96", "--epochs", "1", "--json", settings=settings)

    assert imported.returncode == 1  # one record is of an image that nobody has
    assert "'img_99999.jpg' is not among the images" in imported.stderr
    assert "3 cameras of 24 images" in imported.stdout, imported.stdout
    assert evaluated.returncode == 0, evaluated.stderr
    done = json.loads(evaluated.stdout)
    assert (done["images"], done["cameras"], len(done["folds"])) == (24, 3, 3)
    assert done["species"] == {"ALB": 8, "LAG": 8, "NoF": 8}


def test_without_labels_there_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    done = run_cli("evaluate", settings={"TAFFRAIL_HOME": str(tmp_path / "home")})

    assert done.returncode == 2
    assert "cli labels import" in done.stderr and done.stderr.strip().count("\n") == 0
