"""The sample fleet is repeatable, labelled by what is seen, and leaks species by camera as real fleets do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from db.domain.species import NO_FISH
from worker.sample_fleet.oracle import TruthError, read_truth
from worker.sample_fleet.write import SampleError, write_sample_fleet


def _write(out: Path, seed: int = 5) -> None:
    write_sample_fleet(out, images=24, cameras=6, seed=seed, scale=0.2, processes=1)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    _write(tmp_path / "b")

    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())

    assert len(files) > 24
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_truth_and_labels_say_the_same_of_images_that_exist(tmp_path: Path) -> None:
    _write(tmp_path / "fleet")
    truth = read_truth(tmp_path / "fleet" / "truth.json")
    rects = {
        (path.stem, record["filename"]): len(record["annotations"])
        for path in (tmp_path / "fleet" / "labels").glob("*.json")
        for record in json.loads(path.read_text())
    }

    for name, label in truth.items():
        with Image.open(tmp_path / "fleet" / "images" / name) as image:
            assert all(0 <= fish.box.x_min < fish.box.x_max <= image.width for fish in label.boxes)
            assert all(0 <= fish.box.y_min < fish.box.y_max <= image.height for fish in label.boxes)
    assert rects == {
        (species, name): sum(fish.species == species for fish in label.boxes)
        for name, label in truth.items()
        for species in {fish.species for fish in label.boxes} or {NO_FISH}
    }
    assert len({label.species for label in truth.values()}) >= 3


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    with pytest.raises(SampleError, match="not empty"):
        _write(tmp_path)


def test_a_torn_truth_is_named(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text('{"images": [{"file"')

    with pytest.raises(TruthError, match=r"truth\.json"):
        read_truth(tmp_path / "truth.json")


@pytest.mark.parametrize(("leak", "species"), [(True, {"ALB"}), (False, {"ALB", "BET", "DOL", "NoF", "OTHER", "YFT"})])
def test_a_camera_sees_its_own_species_but_all_of_them_where_no_leak_is_wanted(
    leak: bool, species: set[str], tmp_path: Path
) -> None:
    # Camera 5 has seen albacore only, as one of the competition's boats did.
    done = write_sample_fleet(
        tmp_path / "fleet", images=30, cameras=1, first_camera=5, seed=5, scale=0.1, leak=leak, processes=1
    )

    assert set(done.species) - {NO_FISH, "LAG", "SHARK"} == species - {NO_FISH}
