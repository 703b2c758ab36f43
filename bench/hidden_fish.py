"""Draws docs/leakage.jpg: what the leak audit asks of a background, the fish grey and what lies near them darkened."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from bench.heads_table import INPUT_HW, fleet_samples
from worker.images.labelled import open_labelled
from worker.leakage.hide_fish import fill_holes, holes_of, untouched_cells
from worker.vision.letterbox import letterbox_image

_GRID_HW = (23, 40)  # of the default trunk
_COLUMNS, _ROWS, _TILE_HW = 3, 2, (240, 427)


def main() -> None:
    """Draw six images of a sample fleet, spread over its cameras."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fleet", type=Path, help="a sample fleet, as `cli sample` writes it")
    parser.add_argument("--out", type=Path, default=Path("docs/leakage.jpg"))
    asked = parser.parse_args()
    samples = fleet_samples(asked.fleet, 10**6)
    holes = holes_of(samples, input_hw=INPUT_HW)
    sheet = Image.new("RGB", (_TILE_HW[1] * _COLUMNS, _TILE_HW[0] * _ROWS))
    count = _COLUMNS * _ROWS
    for place in range(count):
        sample = samples[len(samples) * (2 * place + 1) // (2 * count)]
        image = open_labelled(sample).decode(at_least_hw=INPUT_HW)
        pixels, letterbox = letterbox_image(image.pixels, into_hw=INPUT_HW)
        shown = fill_holes(pixels, holes[sample.sha256])
        frame = letterbox.grid_frame(_GRID_HW)
        clear = untouched_cells(holes[sample.sha256], input_hw=INPUT_HW, grid_hw=_GRID_HW, frame=frame)
        rows = np.arange(INPUT_HW[0]) * _GRID_HW[0] // INPUT_HW[0]
        columns = np.arange(INPUT_HW[1]) * _GRID_HW[1] // INPUT_HW[1]
        shown[~clear[rows][:, columns]] //= 2
        tile = Image.fromarray(shown).resize(_TILE_HW[::-1], Image.Resampling.BILINEAR)
        sheet.paste(tile, (place % _COLUMNS * _TILE_HW[1], place // _COLUMNS * _TILE_HW[0]))
    sheet.save(asked.out, quality=75)


if __name__ == "__main__":
    main()
