"""Burns text into an image as boats' recorders do: a clock, a bar with name and position, large outlined letters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
_NAMES = ("MARIA B", "OCEAN STAR 7", "SEA HARVEST", "KAI LUNA", "TRIDENT II", "NORTH WIND", "PACIFIC LADY")
_WHITES: tuple[Colour, ...] = ((250, 250, 248), (250, 246, 150), (180, 250, 190))


class BannerStyle(StrEnum):
    """How much text a recorder burns in."""

    NONE = "none"
    CLOCK = "clock"
    BAR = "bar"
    LARGE = "large"


@dataclass(frozen=True)
class Banner:
    """One camera's text. corner: 0..3, row by row. height_share: of a line, by the image's height."""

    style: BannerStyle
    corner: int
    name: str
    height_share: float
    colour: Colour


def draw_banner(rng: np.random.Generator) -> Banner:
    """Return a camera's banner by chance; three of four cameras have one."""
    style = BannerStyle(str(rng.choice([str(style) for style in BannerStyle], p=(0.2, 0.25, 0.3, 0.25))))
    height = {BannerStyle.CLOCK: 0.025, BannerStyle.BAR: 0.05, BannerStyle.LARGE: 0.075}.get(style, 0.0)
    return Banner(
        style,
        int(rng.integers(4)),
        f"{_NAMES[int(rng.integers(len(_NAMES)))]} CAM{int(rng.integers(1, 5))}",
        float(height * rng.uniform(0.8, 1.3)),
        _WHITES[int(rng.integers(len(_WHITES)))],
    )


def burn_in(image: Image.Image, banner: Banner, *, clock: str, rng: np.random.Generator) -> None:
    """Write the banner into an image. clock: date and time as text; position and speed are drawn from rng."""
    match banner.style:
        case BannerStyle.NONE:
            return
        case BannerStyle.CLOCK:
            _write(image, [clock], banner)
        case BannerStyle.BAR:
            _bar(image, banner)
            _write(image, [f"{banner.name}  {clock}  {_position(rng)}"], banner)
        case BannerStyle.LARGE:
            _write(image, [banner.name, clock, _position(rng)], banner)


def _position(rng: np.random.Generator) -> str:
    south, east = rng.uniform(5, 25), rng.uniform(140, 179)
    return f"{south:07.4f}S {east:08.4f}E {rng.uniform(0, 12):04.1f}kn"


def _bar(image: Image.Image, banner: Banner) -> None:
    thick = max(8, int(image.height * banner.height_share * 1.4))
    top = 0 if banner.corner < 2 else image.height - thick
    strip = image.crop((0, top, image.width, top + thick))
    image.paste(Image.blend(strip, Image.new("RGB", strip.size, (10, 10, 12)), 0.6), (0, top))


def _write(image: Image.Image, lines: list[str], banner: Banner) -> None:
    size_px = max(8, int(image.height * banner.height_share))
    font, draw = ImageFont.load_default(size_px), ImageDraw.Draw(image)
    wide = max(draw.textlength(line, font=font) for line in lines)
    if wide > image.width - 16.0:  # a recorder's text fits its image
        size_px = max(6, int(size_px * (image.width - 16.0) / wide))
        font = ImageFont.load_default(size_px)
        wide = max(draw.textlength(line, font=font) for line in lines)
    x = 8.0 if banner.corner % 2 == 0 else max(8.0, image.width - wide - 8.0)
    y = 3.0 if banner.corner < 2 else image.height - 1.25 * size_px * len(lines) - 3.0
    for number, line in enumerate(lines):
        place = (x, y + 1.25 * size_px * number)
        draw.text(place, line, font=font, fill=banner.colour, stroke_width=1, stroke_fill=(20, 20, 20))
