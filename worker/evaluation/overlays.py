"""A sheet of evaluated images to look at: true boxes red, predicted ones yellow, and the heat map beneath each."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from db.domain.species import NO_FISH
from worker.evaluation.answers import Answers, EvaluatedImages, Floats, Ints
from worker.images.errors import UnreadableImage
from worker.images.labelled import open_labelled
from worker.report.heat_layer import species_layer
from worker.training import metrics
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import sample_letterbox
from worker.vision.heatmaps import unpack_heatmap

_TRUE, _PREDICTED = (235, 30, 30), (255, 225, 0)
_TILE_HW = (270, 480)
_CAPTION_PX, _COLUMNS, _GAP = 24, 3, 6
_SUREST = 0.5  # a fish of the heat map below this is not drawn: there are many


def choose_images(evaluated: EvaluatedImages, answers: Answers, count: int, *, seed: int) -> Ints:
    """Return the places of images to look at: half the worst answers, half drawn at random; no image twice."""
    losses = metrics.losses(evaluated.truth, answers.probabilities)
    worst = np.argsort(-losses, kind="stable")[: count // 2]
    others = np.setdiff1d(np.arange(len(losses)), worst)
    drawn = np.random.default_rng(seed).permutation(others)[: count - len(worst)]
    return np.concatenate([worst, np.sort(drawn)])


def draw_images(
    evaluated: EvaluatedImages, answers: Answers, rows: Ints, *, input_hw: tuple[int, int]
) -> Image.Image | None:
    """Return a sheet of these images; None where none can be read any more."""
    tiles = [tile for row in rows if (tile := _tile(evaluated, answers, int(row), input_hw)) is not None]
    if not tiles:
        return None
    height, width = tiles[0].height + _GAP, tiles[0].width + _GAP
    sheet = Image.new("RGB", (width * min(_COLUMNS, len(tiles)), height * -(-len(tiles) // _COLUMNS)), (255, 255, 255))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % _COLUMNS * width, place // _COLUMNS * height))
    return sheet


def _tile(evaluated: EvaluatedImages, answers: Answers, row: int, input_hw: tuple[int, int]) -> Image.Image | None:
    sample = evaluated.samples[row]
    try:
        plain = _shrunk(sample)
    except UnreadableImage:  # it was read when it was evaluated; what is gone since is not worth the whole sheet
        return None
    zoom = plain.width / sample.width_px
    boxed = plain.copy()
    _draw_boxes(boxed, evaluated, answers, row, zoom)
    parts = [boxed]
    if answers.heatmaps:
        parts.append(_with_heat(plain, evaluated, answers, row, input_hw))
    tile = Image.new("RGB", (_TILE_HW[1], _CAPTION_PX + _TILE_HW[0] * len(parts)), (0, 0, 0))
    ImageDraw.Draw(tile).text((4, 2), _caption(evaluated, answers, row), fill=(255, 255, 255), font=_font())
    for number, part in enumerate(parts):
        tile.paste(part, (0, _CAPTION_PX + _TILE_HW[0] * number))
    return tile


def _shrunk(sample: TrainingSample) -> Image.Image:
    image = Image.fromarray(open_labelled(sample).decode(at_least_hw=_TILE_HW).pixels)
    zoom = min(_TILE_HW[0] / sample.height_px, _TILE_HW[1] / sample.width_px)
    return image.resize((round(sample.width_px * zoom), round(sample.height_px * zoom)), Image.Resampling.BILINEAR)


def _draw_boxes(image: Image.Image, evaluated: EvaluatedImages, answers: Answers, row: int, zoom: float) -> None:
    draw = ImageDraw.Draw(image)
    for labelled in evaluated.samples[row].label.boxes:
        draw.rectangle([side * zoom for side in labelled.box.xyxy], outline=_TRUE, width=3)
    for fish in answers.found[row] if answers.found is not None else ():
        if fish.confidence >= _SUREST:
            _draw_sorted(draw, [side * zoom for side in fish.xyxy], width=1)
    if answers.largest is not None and not _says_no_fish(evaluated, answers.probabilities[row]):
        _draw_sorted(draw, [float(side) * zoom for side in answers.largest[row]], width=3)


def _draw_sorted(draw: ImageDraw.ImageDraw, xyxy: list[float], *, width: int) -> None:
    if not any(xyxy):
        return  # 0,0,0,0 is how a box head says that there is no fish
    x_min, y_min, x_max, y_max = xyxy  # a box head may put its sides in the wrong order
    box = (min(x_min, x_max), min(y_min, y_max), max(x_min, x_max), max(y_min, y_max))
    draw.rectangle(box, outline=_PREDICTED, width=width)


def _with_heat(
    plain: Image.Image, evaluated: EvaluatedImages, answers: Answers, row: int, input_hw: tuple[int, int]
) -> Image.Image:
    """Where the heat map sees fish of whatever species."""
    heatmap = unpack_heatmap(answers.heatmaps[row])  # (h, w, S)
    plane = 1.0 - heatmap[:, :, evaluated.label_set.index(NO_FISH)]
    frame = sample_letterbox(evaluated.samples[row], input_hw).grid_frame((heatmap.shape[0], heatmap.shape[1]))
    layer = species_layer(np.ascontiguousarray(plane, dtype=np.float32), frame=frame, size=plain.size)
    return Image.alpha_composite(plain.convert("RGBA"), layer).convert("RGB")


def _caption(evaluated: EvaluatedImages, answers: Answers, row: int) -> str:
    sample, said = evaluated.samples[row], answers.probabilities[row]
    called = int(said.argmax())
    return f"{sample.camera}: {sample.label.species}, called {evaluated.label_set.names[called]} {said[called]:.2f}"


def _says_no_fish(evaluated: EvaluatedImages, said: Floats) -> bool:
    return int(said.argmax()) == evaluated.label_set.index(NO_FISH)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(16)
