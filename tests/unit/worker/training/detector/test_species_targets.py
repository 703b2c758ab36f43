"""What a window teaches of species: only what it shows for certain."""

from __future__ import annotations

import numpy as np

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet
from worker.training.detector.species_targets import SpeciesTargets, species_targets
from worker.training.detector.windows import SeenBoxes

_LABELS = LabelSet(("ALB", "YFT", "NoF"))
_LARGE, _SMALL = LabelledBox(Box(0, 0, 60, 40), "YFT"), LabelledBox(Box(64, 32, 90, 60), "ALB")


def _taught(label: ImageLabel, seen: SeenBoxes, *, whole: bool = True) -> SpeciesTargets:
    return species_targets(label, seen, whole=whole, label_set=_LABELS, input_hw=(64, 96), grid_hw=(4, 6))


def _seen(*boxes: LabelledBox, places: tuple[int, ...]) -> SeenBoxes:
    xyxy = np.array([one.box.xyxy for one in boxes], dtype=np.float64).reshape(-1, 4)
    return SeenBoxes(xyxy, np.array(places, dtype=np.intp))


def test_the_largest_fish_in_the_window_names_it() -> None:
    taught = _taught(ImageLabel("YFT", (_LARGE, _SMALL)), _seen(_LARGE, _SMALL, places=(0, 1)))

    assert (taught.species, taught.sure) == (1, 1.0)
    assert taught.box.tolist() == [0, 0, 60, 40]
    assert taught.cells[0, 0] == 1 and taught.cells[0, 5] == 2 and taught.cells[2, 4] == 0


def test_of_a_window_that_lost_the_largest_the_other_fish_does() -> None:
    taught = _taught(ImageLabel("YFT", (_LARGE, _SMALL)), _seen(_SMALL, places=(1,)))

    assert (taught.species, taught.sure) == (0, 1.0)


def test_a_window_that_lost_all_its_fish_teaches_cells_and_no_species() -> None:
    taught = _taught(ImageLabel("YFT", (_LARGE,)), _seen(places=()))

    assert taught.sure == 0.0 and not taught.box.any()
    assert (taught.cells == 2).all()


def test_an_empty_image_teaches_that_in_every_window() -> None:
    taught = _taught(ImageLabel("NoF"), _seen(places=()), whole=False)

    assert (taught.species, taught.sure) == (2, 1.0)


def test_species_without_a_box_are_taught_by_whole_images_alone() -> None:
    part = _taught(ImageLabel("ALB"), _seen(places=()), whole=False)
    whole = _taught(ImageLabel("ALB"), _seen(places=()), whole=True)

    assert part.sure == 0.0 and whole.sure == 1.0
    assert (whole.cells == -1).all()
