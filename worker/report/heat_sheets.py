"""Packs the heat tiles of many images into few PNG files: a report must not have a file for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worker.report.heat_layer import HeatTiles, Levels, heat_png

# A browser keeps a sheet decoded, four bytes a cell.
SHEET_PX = 1_024
# An empty row and column between tiles: the browser smooths over a tile's edge.
GAP_PX = 1


@dataclass(frozen=True)
class HeatPlace:
    """Where an image's tiles lie. sheet: its number. size: of each tile, (width, height). corners: (x, y) a species."""

    sheet: int
    size: tuple[int, int]
    corners: dict[int, tuple[int, int]]


@dataclass(frozen=True)
class SheetFile:
    """One sheet of a report. size: (width, height), cells."""

    name: str
    size: tuple[int, int]


class HeatSheets:
    """Puts tiles in rows, from left to right; a full sheet is written. Use `finish` when all tiles are there."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._files: list[SheetFile] = []
        self._placed: list[tuple[int, int, Levels]] = []
        self._x = self._y = self._row_px = 0

    def place(self, tiles: HeatTiles) -> HeatPlace:
        """Return where an image's tiles lie; all of them are on one sheet."""
        rows, columns = tiles.planes[0].shape
        if self._placed and not self._fits(len(tiles.planes), rows, columns):
            self._write()
        corners = {index: self._put(plane) for index, plane in zip(tiles.species_indices, tiles.planes, strict=True)}
        return HeatPlace(len(self._files), (columns, rows), corners)

    def finish(self) -> list[SheetFile]:
        """Write what is left and return all sheets, in the order of their numbers."""
        if self._placed:
            self._write()
        return self._files

    def _fits(self, count: int, rows: int, columns: int) -> bool:
        in_row = max(0, (SHEET_PX - self._x) // (columns + GAP_PX))
        more_rows = -(-max(0, count - in_row) // max(1, SHEET_PX // (columns + GAP_PX)))
        row_px = max(self._row_px, rows + GAP_PX) if in_row else self._row_px
        return self._y + row_px + more_rows * (rows + GAP_PX) <= SHEET_PX

    def _put(self, plane: Levels) -> tuple[int, int]:
        rows, columns = plane.shape
        if self._x and self._x + columns + GAP_PX > SHEET_PX:
            self._x, self._y, self._row_px = 0, self._y + self._row_px, 0
        corner = (self._x, self._y)
        self._placed.append((*corner, plane))
        self._x += columns + GAP_PX
        self._row_px = max(self._row_px, rows + GAP_PX)
        return corner

    def _write(self) -> None:
        width = max(x + plane.shape[1] for x, _, plane in self._placed)
        height = max(y + plane.shape[0] for _, y, plane in self._placed)
        sheet = np.zeros((height, width), dtype=np.uint8)
        for x, y, plane in self._placed:
            sheet[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
        name = f"heat/{len(self._files):04d}.png"
        (self._out / name).write_bytes(heat_png(sheet))
        self._files.append(SheetFile(name, (width, height)))
        self._placed, self._x, self._y, self._row_px = [], 0, 0, 0
