"""A sheet of judged images: labelled fish red, the detector's boxes yellow with their scores."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from worker.images.decode import decode_image
from worker.images.read import read_image_file
from worker.training.data.samples import TrainingSample
from worker.training.detector.box_figures import SeenFish

_TRUE, _SEEN = (235, 30, 30), (255, 225, 0)
_TILE_WIDTH, _TILE_HEIGHT, _COLUMNS, _TILES = 400, 240, 3, 15
_SHOWN_BOXES = 3


def draw_sheet(samples: Sequence[TrainingSample], seen: Sequence[SeenFish]) -> Image.Image:
    """Return images spread over all cameras, each with its three surest boxes."""
    sheet = Image.new("RGB", (_COLUMNS * _TILE_WIDTH, -(-_TILES // _COLUMNS) * _TILE_HEIGHT))
    for place in range(_TILES):
        number = len(samples) * (2 * place + 1) // (2 * _TILES)
        tile = _tile(samples[number], seen[number])
        sheet.paste(tile, (place % _COLUMNS * _TILE_WIDTH, place // _COLUMNS * _TILE_HEIGHT))
    return sheet


def _tile(sample: TrainingSample, seen: SeenFish) -> Image.Image:
    image = Image.fromarray(decode_image(read_image_file(sample.file).content).pixels)
    scale = min(_TILE_WIDTH / image.width, _TILE_HEIGHT / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    draw = ImageDraw.Draw(image)
    for box in seen.truth:
        draw.rectangle([float(value) * scale for value in box], outline=_TRUE, width=2)
    for box, score in zip(seen.boxes[:_SHOWN_BOXES], seen.scores, strict=False):
        place = [float(value) * scale for value in box]
        draw.rectangle(place, outline=_SEEN, width=1)
        draw.text((place[0] + 2, max(place[1] - 11, 0)), f"{score:.2f}", fill=_SEEN)
    return image
