"""Draws a layer's channels as a grid of small maps beside the image they come from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

MAX_MAPS = 63  # with the image a grid of eight by eight
_COLUMNS = 8
_TILE_PX = 160
_GAP_PX = 4
_CAPTION_PX = 12
_GROUND = (24, 24, 28)
_INK = (220, 220, 220)

Floats = npt.NDArray[np.float32]


def draw_channel_maps(maps: Floats, image: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the image and its most varied channels, each stretched from its darkest to its brightest cell.

    maps: (h, w, C). image: (H, W, 3), what the network saw. The number of each channel stands above it.
    """
    channels = varied_channels(maps, MAX_MAPS)
    tiles = [("image", Image.fromarray(image))]
    tiles += [(f"{channel}", Image.fromarray(stretched(maps[..., channel]))) for channel in channels]
    rows, columns = -(-len(tiles) // _COLUMNS), min(_COLUMNS, len(tiles))
    tile_hw = (round(_TILE_PX * image.shape[0] / image.shape[1]), _TILE_PX)
    step_y, step_x = tile_hw[0] + _CAPTION_PX + _GAP_PX, tile_hw[1] + _GAP_PX
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, rows * step_y + _GAP_PX), _GROUND)
    pen = ImageDraw.Draw(sheet)
    for place, (caption, tile) in enumerate(tiles):
        x, y = _GAP_PX + place % _COLUMNS * step_x, _GAP_PX + place // _COLUMNS * step_y
        pen.text((x, y), caption, fill=_INK)
        smooth = Image.Resampling.BILINEAR if caption == "image" else Image.Resampling.NEAREST
        sheet.paste(tile.convert("RGB").resize((tile_hw[1], tile_hw[0]), smooth), (x, y + _CAPTION_PX))
    return sheet


def varied_channels(maps: Floats, count: int) -> list[int]:
    """Return the channels that differ most within the image, in their own order.

    >>> varied_channels(np.array([[[0.0, 1.0, 5.0], [9.0, 1.0, 4.0]]], dtype=np.float32), 2)
    [0, 2]
    """
    spread = maps.reshape(-1, maps.shape[-1]).astype(np.float64).std(axis=0)
    return sorted(np.argsort(-spread, kind="stable")[:count].tolist())


def stretched(plane: Floats) -> npt.NDArray[np.uint8]:
    """Return a map as greys from its smallest (black) to its largest value (white); an even map is black."""
    values = plane.astype(np.float64) - float(plane.min())
    return np.asarray(np.rint(values * (255.0 / max(float(values.max()), 1e-12))), dtype=np.uint8)
