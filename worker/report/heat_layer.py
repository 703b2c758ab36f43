"""An image's species heat maps as levels and as transparent colours, to be laid over the image."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

# A species that is nowhere likelier than this has nothing to show.
FAINT = 0.1
# Dark red over orange to pale yellow: readable on decks and at night, and without hue.
_STOPS = ((0, (96, 0, 24)), (110, (214, 40, 20)), (190, (255, 150, 20)), (255, (255, 250, 190)))
_MOST_OPAQUE = 205


Levels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class HeatTiles:
    """What a heat map sees. planes: one a species, each (rows, columns), 0..255, all of one size.

    species_indices: of each plane, on the species axis.
    """

    planes: tuple[Levels, ...]
    species_indices: tuple[int, ...]


def heat_tiles(heatmap: npt.ArrayLike, *, frame: tuple[float, float, float, float]) -> HeatTiles | None:
    """Return the tiles of the species that a heat map sees somewhere, or None where it sees none.

    heatmap: (H, W, S), 0..1. frame: the cells that show the image, x_min, y_min, x_max, y_max.
    """
    grid = np.asarray(heatmap, dtype=np.float32)
    seen = tuple(int(index) for index in np.flatnonzero(grid.max(axis=(0, 1)) >= FAINT))
    return HeatTiles(tuple(_tile(grid[:, :, index], frame) for index in seen), seen) if seen else None


def species_layer(
    plane: npt.NDArray[np.float32], *, frame: tuple[float, float, float, float], size: tuple[int, int]
) -> Image.Image:
    """Return one species' heat in the same colours, RGBA, to be laid over an image of this size (width, height).

    plane: (H, W), 0..1. frame: the cells that show the image, x_min, y_min, x_max, y_max.
    """
    colours, alpha = _palette()
    levels = np.asarray(Image.fromarray(_tile(plane, frame)).resize(size, Image.Resampling.BILINEAR))
    return Image.fromarray(np.dstack([colours[levels], alpha[levels]]))


def heat_png(levels: Levels) -> bytes:
    """Return levels as a PNG of transparent colours. levels: (H, W), 0..255."""
    image = Image.fromarray(levels).convert("P")
    colours, alpha = _palette()
    image.putpalette(colours.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True, transparency=alpha.tobytes())
    return file.getvalue()


def _tile(plane: npt.NDArray[np.float32], frame: tuple[float, float, float, float]) -> Levels:
    size = (max(1, round(frame[2] - frame[0])), max(1, round(frame[3] - frame[1])))
    cut = Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR, box=frame)
    return np.asarray(np.clip(np.asarray(cut) * 255.0, 0, 255).round(), dtype=np.uint8)


def _palette() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the colour (256, 3) and the opacity (256,) of each level."""
    steps = np.arange(256)
    channels = [np.interp(steps, [at for at, _ in _STOPS], [colour[band] for _, colour in _STOPS]) for band in range(3)]
    # What is faint must not tint the whole image.
    alpha = np.clip((steps / 255.0 - FAINT) / (1 - FAINT), 0, 1) ** 0.7 * _MOST_OPAQUE
    return np.stack(channels, axis=1).round().astype(np.uint8), alpha.round().astype(np.uint8)
