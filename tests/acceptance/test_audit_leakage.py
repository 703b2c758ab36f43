"""`cli audit leakage`: what it says of a fleet that leaks, and of labels of which nothing can be said."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.commands import run_cli
from tests.drawn_fish import draw_fish
from worker.training.data.samples import TrainingSample


def _import(folder: Path, samples: list[TrainingSample], home: Path) -> dict[str, str]:
    """Register images by NCFM files; return the settings of a HOME that knows them."""
    by_species: dict[str, list[dict[str, object]]] = {}
    for sample in samples:
        boxes = [labelled.box.xyxy for labelled in sample.label.boxes]
        rects = [{"class": "rect", "x": x, "y": y, "width": right - x, "height": low - y} for x, y, right, low in boxes]
        record = {"filename": Path(sample.file.decode()).relative_to(folder).as_posix(), "annotations": rects}
        by_species.setdefault(sample.label.species, []).append({"class": "image", **record})
    labels = folder / "labels"
    labels.mkdir()
    for species, records in by_species.items():
        (labels / f"{species}.json").write_text(json.dumps(records))
    settings = {"TAFFRAIL_HOME": str(home)}
    done = run_cli("labels", "import", str(labels), "--format", "ncfm", "--images", str(folder), settings=settings)
    assert done.returncode == 0, done.stderr
    return settings


def _draw(folder: Path, species: list[str], *, cameras: int) -> list[TrainingSample]:
    """Draw an image of each species in turn over the cameras, whose decks are of different grey."""
    samples = []
    for number, name in enumerate(species):
        camera = number % cameras
        (folder / f"boat_{camera}").mkdir(exist_ok=True)
        samples.append(draw_fish(folder / f"boat_{camera}", number, name, f"boat_{camera}", deck_grey=40 + 60 * camera))
    return samples


def test_a_fleet_whose_cameras_have_species_of_their_own_is_told_to_leak(tmp_path: Path) -> None:
    # Camera 0 sees albacore, camera 1 opah, camera 2 both.
    species = [("ALB", "LAG", ("ALB", "LAG")[number // 3 % 2])[number % 3] for number in range(90)]
    samples = _draw(tmp_path, species, cameras=3)
    settings = _import(tmp_path, samples, tmp_path / "home")
    gone = samples[40].file.decode()
    Path(gone).unlink()

    done = run_cli("audit", "leakage", "--size", "96x144", "--json", settings=settings)

    assert done.returncode == 1, done.stderr  # an image is gone, the rest is asked
    told = json.loads(done.stdout)
    assert told["images"] == 89 and [file for file, _reason in told["unreadable"]] == [gone]
    verdicts = {cue["name"]: cue["verdict"] for cue in told["cues"]}
    assert verdicts["the camera"] == verdicts["the background"] == told["verdict"] == "leak"
    assert verdicts["the image's size"] == "no leak"
    assert told["sentence"].startswith("LEAK: without a look at the fish, the ")
    assert told["heat"] is None and "no model serves yet" in told["no_heat"]


def test_without_labels_it_says_how_to_bring_some_in(tmp_path: Path) -> None:
    done = run_cli("audit", "leakage", settings={"TAFFRAIL_HOME": str(tmp_path / "home")})

    assert done.returncode == 2
    assert "cli labels import" in done.stderr and len(done.stderr.strip().splitlines()) == 1
