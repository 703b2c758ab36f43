"""Heat tiles of many images share a file, and each lies where its place says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worker.report.heat_layer import HeatTiles
from worker.report.heat_sheets import SHEET_PX, HeatPlace, HeatSheets, SheetFile


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A report's folder."""
    (tmp_path / "heat").mkdir()
    return tmp_path


def tiles(level: int, *, rows: int = 20, columns: int = 40, count: int = 2) -> HeatTiles:
    """Tiles of one level each: `level`, `level` + 1 and so on."""
    planes = tuple(np.full((rows, columns), level + place, dtype=np.uint8) for place in range(count))
    return HeatTiles(planes, tuple(range(count)))


def levels_at(out: Path, sheets: list[SheetFile], place: HeatPlace) -> list[set[int]]:
    """Return the levels that a sheet holds at an image's places, a species each."""
    sheet = Image.open(out / sheets[place.sheet].name)
    assert sheet.size == sheets[place.sheet].size
    width, height = place.size
    return [set(np.asarray(sheet.crop((x, y, x + width, y + height))).ravel()) for x, y in place.corners.values()]


def test_every_image_finds_its_own_tiles_whatever_its_grid(out: Path) -> None:
    sheets = HeatSheets(out)

    # An upright image and one as large as a sheet are among them.
    grids = [(20, 40), (20, 40), (60, 30), (SHEET_PX, SHEET_PX), (20, 40)]
    places = [sheets.place(tiles(10 * n, rows=h, columns=w)) for n, (h, w) in enumerate(grids, start=1)]
    files = sheets.finish()

    found = [levels_at(out, files, place) for place in places]
    assert found == [[{10 * number}, {10 * number + 1}] for number in range(1, 6)]


def test_tiles_do_not_touch(out: Path) -> None:
    sheets = HeatSheets(out)

    sheets.place(tiles(100, columns=40, count=60))
    levels = np.asarray(Image.open(out / sheets.finish()[0].name))

    assert not levels[:, 40::41].any() and not levels[20::21].any()


def test_a_hundred_images_share_a_file_or_two(out: Path) -> None:
    sheets = HeatSheets(out)

    # As the demo's: 23 x 40 cells, five species seen.
    for _ in range(100):
        sheets.place(tiles(1, rows=23, columns=40, count=5))

    assert len(sheets.finish()) == 1


def test_a_report_without_heat_has_no_sheet(out: Path) -> None:
    assert HeatSheets(out).finish() == [] and not list((out / "heat").iterdir())
