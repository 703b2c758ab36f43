"""What the lesson's two heads are to learn of a window: its species, the largest fish's box, and a species a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.labels import ImageLabel
from db.domain.species import NO_FISH, LabelSet
from worker.training.data.targets import NO_OWNER, UNKNOWN_CELL, box_shares, cell_owners
from worker.training.detector.windows import SeenBoxes


@dataclass(frozen=True)
class SpeciesTargets:
    """One window's. species: its place on the species axis; sure: 0 where the window does not show it for certain.

    box: (4,) xyxy window pixels of the largest fish, zeros for none. location: (h, w), the box's share in each cell.
    cells: (h, w) places on the species axis, -1 where not known.
    """

    species: int
    sure: float
    box: npt.NDArray[np.float32]
    location: npt.NDArray[np.float32]
    cells: npt.NDArray[np.int8]


def species_targets(
    label: ImageLabel,
    seen: SeenBoxes,
    *,
    whole: bool,
    label_set: LabelSet,
    input_hw: tuple[int, int],
    grid_hw: tuple[int, int],
) -> SpeciesTargets:
    """Return the targets of a window. whole: whether it shows nearly all of the image.

    Only an image that shows no fish teaches that there is none: windows that lost their fish are many, and would make
    it the answer to every camera not seen before. Nor is a species learnt from a part of an image whose fish nobody
    boxed.
    """
    species = [label_set.index(labelled.species) for labelled in label.boxes]
    no_fish, box = label_set.index(NO_FISH), np.zeros(4, dtype=np.float32)
    location = np.zeros(grid_hw, dtype=np.float32)
    if not label.boxes:
        known = label.is_empty
        cells = np.full(grid_hw, no_fish if known else UNKNOWN_CELL, dtype=np.int8)
        return SpeciesTargets(label_set.index(label.species), float(known or whole), box, location, cells)
    fish = seen.boxes.astype(np.float32)
    owners = cell_owners(fish, input_hw, grid_hw) if len(fish) else np.full(grid_hw, NO_OWNER, dtype=np.int16)
    # The last entry is what owner -1 points at.
    cells = np.array([*(species[place] for place in seen.places), no_fish], dtype=np.int8)[owners]
    if not len(fish):
        return SpeciesTargets(no_fish, 0.0, box, location, cells)
    largest = int(np.argmax(np.prod(fish[:, 2:] - fish[:, :2], axis=1)))
    location = box_shares(fish[largest], input_hw=input_hw, grid_hw=grid_hw)
    return SpeciesTargets(species[seen.places[largest]], 1.0, fish[largest], location, cells)
