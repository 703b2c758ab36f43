"""Draws the two fleets of one draw: five cameras to learn from, five others to be judged on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.heads_table import fleet_samples
from worker.sample_fleet.write import write_sample_fleet
from worker.training.data.samples import TrainingSample

_SCALE = 0.5  # half the real image sizes: the detector's inputs are smaller still


@dataclass(frozen=True)
class Draw:
    """One draw. learn, judge: labelled images; no camera is in both."""

    number: int
    learn: list[TrainingSample]
    judge: list[TrainingSample]


def draw_fleets(number: int, *, labels: int, cameras: int, home: Path) -> Draw:
    """Return the images of a draw, drawn where they are missing. labels: images to learn from, as many to judge."""
    sides = []
    for side, first in (("learn", 0), ("judge", cameras)):
        folder = home / f"draw-{number}-{labels}-{cameras}" / side
        if not (folder / "truth.json").exists():
            # Its own cameras a draw: they differ more than one camera's images do.
            begin = 2 * cameras * number + first
            write_sample_fleet(
                folder, images=labels, cameras=cameras, seed=number, scale=_SCALE, first_camera=begin, leak=True
            )
        sides.append(fleet_samples(folder, labels))
    return Draw(number, *sides)
