"""The sample fleet is repeatable, labelled by what is seen, and leaks species by camera as real fleets do."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.species import DEFAULT_LABEL_SET, NO_FISH
from worker.sample_fleet.banner import Banner, BannerStyle, burn_in
from worker.sample_fleet.look import FISH_PX_AT_640, draw_look
from worker.sample_fleet.oracle import TruthError, read_truth
from worker.sample_fleet.write import SampleError, plan_fleet, write_sample_fleet


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


@pytest.mark.parametrize(("leak", "species"), [(True, {"ALB"}), (False, set(DEFAULT_LABEL_SET.names))])
def test_a_camera_sees_its_own_species_but_all_of_them_where_no_leak_is_wanted(leak: bool, species: set[str]) -> None:
    # Camera 5 has seen albacore only, as one of the competition's boats did.
    planned = plan_fleet(1000, range(5, 6), 5, leak=leak)

    assert {one.species for one in planned} == species


def test_a_quarter_of_the_images_show_the_moment_before_again() -> None:
    planned = plan_fleet(400, range(4), 1, leak=True)

    again = [one for one in planned if one.frame]

    assert 0.15 < len(again) / len(planned) < 0.35
    for one in again:
        before = planned[one.index - 1]
        assert (before.camera, before.species, before.moment) == (one.camera, one.species, one.moment)


def test_frames_of_one_moment_show_the_same_fish_in_nearly_the_same_place(tmp_path: Path) -> None:
    write_sample_fleet(tmp_path / "fleet", images=60, cameras=2, seed=3, scale=0.2, processes=1)
    images = json.loads((tmp_path / "fleet" / "truth.json").read_text())["images"]

    pairs = [
        (one["fish"][0]["head"], other["fish"][0]["head"])
        for one, other in pairwise(images)
        if one["moment"] == other["moment"] and len(one["fish"]) == len(other["fish"]) == 1
    ]

    assert pairs
    assert all(math.dist(one, other) < 0.04 * 256 for one, other in pairs)


def test_any_five_cameras_of_a_fleet_show_fish_of_very_different_sizes() -> None:
    for first in (0, 3, 40):
        looks = [draw_look("boat", number=first + number, size_px=(128, 72), seed=7) for number in range(5)]
        sizes = sorted(look.fish_px_at_640 for look in looks)

        assert sizes[0] < 60
        assert sizes[-1] > 105
        assert all(FISH_PX_AT_640[0] <= size <= FISH_PX_AT_640[1] for size in sizes)


def test_burned_in_text_lies_in_the_same_place_and_tells_another_time() -> None:
    banner = Banner(BannerStyle.BAR, corner=0, name="MARIA B", height_share=0.08, colour=(255, 255, 255))
    images = [Image.new("RGB", (320, 180), (90, 90, 90)) for _ in range(2)]

    for image, clock in zip(images, ("2024-01-01 00:00:01", "2024-01-01 00:00:09"), strict=True):
        burn_in(image, banner, clock=clock, rng=np.random.default_rng(0))

    first, second = (np.asarray(image) for image in images)
    assert (first[:20] != 90).any()
    assert (first[40:] == 90).all()
    assert (first != second).any()
