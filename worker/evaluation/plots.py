"""Draws an evaluation's figures, with Pillow alone: confusion matrix, reliability diagram, accuracy by camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

_INK, _FAINT, _PAPER = (30, 30, 30), (200, 200, 200), (255, 255, 255)
_BLUE, _ORANGE = (31, 98, 160), (214, 110, 20)
_TEXT_PX, _SMALL_PX = 18, 15
_MARGIN = 24

Point = tuple[float, float]


def draw_confusion(counts: Sequence[Sequence[int]], names: Sequence[str], *, title: str) -> Image.Image:
    """Return the confusion matrix: a row a true species that occurs, a column a species it was called.

    A cell is as dark as its share of the row; the number is images.
    """
    seen = [place for place in range(len(names)) if sum(counts[place])]
    cell, left, top = 68, 120, 110
    image, draw = _canvas(left + cell * len(names) + _MARGIN, top + cell * len(seen) + _MARGIN, title)
    _text(draw, (left, 50), "called", small=True)
    _text(draw, (_MARGIN, top - 26), "true", small=True)
    for column, name in enumerate(names):
        _text(draw, (left + cell * (column + 0.5), top - 14), name, small=True, anchor="mm")
    for row, place in enumerate(seen):
        total, y = sum(counts[place]), top + cell * row
        _text(draw, (_MARGIN, y + cell / 2), names[place], small=True, anchor="lm")
        for column, count in enumerate(counts[place]):
            share, x = count / total, left + cell * column
            shade = tuple(round(255 + (to - 255) * share) for to in _BLUE)
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), fill=shade, outline=_INK if column == place else None)
            colour = _PAPER if share > 0.55 else _INK if count else _FAINT
            _text(draw, (x + cell / 2, y + cell / 2), str(count), colour=colour, anchor="mm")
    return image


def draw_reliability(
    as_said: Sequence[Mapping[str, float]], calibrated: Sequence[Mapping[str, float]], *, title: str
) -> Image.Image:
    """Return how often answers are right by how sure they are; on the diagonal confidence is honest.

    A dot's area is its share of the images.
    """
    side, left, top = 440, 90, 90
    image, draw = _canvas(left + side + _MARGIN + 10, top + side + 80, title)

    def at(confidence: float, accuracy: float) -> Point:
        return left + side * confidence, top + side * (1.0 - accuracy)

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        draw.line((*at(tick, 0), *at(tick, 1)), fill=_FAINT)
        draw.line((*at(0, tick), *at(1, tick)), fill=_FAINT)
        _text(draw, (at(tick, 0)[0], top + side + 16), f"{tick:.2g}", small=True, anchor="mm")
        _text(draw, (left - 10, at(0, tick)[1]), f"{tick:.2g}", small=True, anchor="rm")
    draw.line((*at(0, 0), *at(1, 1)), fill=_INK, width=1)
    for steps, colour in ((as_said, _ORANGE), (calibrated, _BLUE)):
        points = [at(step["confidence"], step["accuracy"]) for step in steps]
        if len(points) > 1:
            draw.line(points, fill=colour, width=3)
        total = sum(step["images"] for step in steps)
        for (x, y), step in zip(points, steps, strict=True):
            radius = 3 + 22 * (step["images"] / total) ** 0.5
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=3)
    _text(draw, (left + side / 2, top + side + 40), "how sure", small=True, anchor="mm")
    _text(draw, (_MARGIN, top - 26), "share right", small=True)
    _text(draw, (left, top + side + 52), "as said", colour=_ORANGE)
    _text(draw, (left + 90, top + side + 52), "calibrated on others", colour=_BLUE)
    return image


def draw_cameras(
    rows: Mapping[str, Mapping[str, float]], *, title: str, mean: float, at_random: float | None
) -> Image.Image:
    """Return a bar a camera, the worst first: the share of its images that are named right.

    mean: of all cameras' images, a blue line. at_random: what a random split says, an orange one.
    """
    ranked = sorted(rows.items(), key=lambda item: (item[1]["accuracy"], item[0]))
    step, left, top, side = 26, 230, 84, 480
    image, draw = _canvas(left + side + 150, top + step * len(ranked) + 56, title)
    for place, (camera, row) in enumerate(ranked):
        y, width = top + step * place, side * row["accuracy"]
        _text(draw, (left - 12, y + step / 2), camera[-24:], small=True, anchor="rm")
        draw.rectangle((left, y + 3, left + width, y + step - 5), fill=(150, 180, 210))
        told = f"{row['accuracy']:.2f} of {row['images']:.0f}"
        _text(draw, (left + side + 12, y + step / 2), told, small=True, anchor="lm")
    bottom = top + step * len(ranked)
    lines = [(mean, _BLUE, "mean of folds")] + ([(at_random, _ORANGE, "random split")] if at_random is not None else [])
    for place, (value, colour, name) in enumerate(lines):
        draw.line((left + side * value, top - 4, left + side * value, bottom + 4), fill=colour, width=3)
        _text(draw, (left + 190 * place, bottom + 14), f"{name} {value:.2f}", colour=colour)
    return image


def _canvas(width: float, height: float, title: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    wide = max(width, ImageFont.load_default(_TEXT_PX).getlength(title) + 2 * _MARGIN)
    image = Image.new("RGB", (round(wide), round(height)), _PAPER)
    draw = ImageDraw.Draw(image)
    _text(draw, (_MARGIN, 18), title)
    return image, draw


def _text(
    draw: ImageDraw.ImageDraw,
    at: Point,
    text: str,
    *,
    colour: tuple[int, int, int] = _INK,
    small: bool = False,
    anchor: str = "la",
) -> None:
    draw.text(at, text, fill=colour, font=ImageFont.load_default(_SMALL_PX if small else _TEXT_PX), anchor=anchor)
