"""Draws one fish: each species has its own outline, fins and colours, none exactly twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Floats = npt.NDArray[np.float64]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Build:
    """A species' look. Lengths are shares of the body's length; colours are RGB, 0..255."""

    depth: float
    deepest_at: float
    tail_span: float
    tail_lower: float
    fin_length: float
    dorsal: float
    second_dorsal: float
    back: Colour
    belly: Colour
    fins: Colour
    snout: float


BUILDS = {
    "ALB": Build(0.25, 0.45, 0.30, 1.0, 0.36, 0.09, 0.08, (52, 60, 86), (186, 190, 194), (58, 62, 78), 1.0),
    "BET": Build(0.30, 0.40, 0.32, 1.0, 0.24, 0.10, 0.11, (48, 52, 74), (196, 194, 186), (112, 100, 58), 0.8),
    "YFT": Build(0.26, 0.38, 0.33, 1.0, 0.22, 0.10, 0.20, (44, 58, 88), (204, 198, 172), (206, 172, 48), 0.9),
    "DOL": Build(0.24, 0.18, 0.30, 1.0, 0.12, 0.10, 0.10, (56, 112, 86), (206, 192, 92), (64, 96, 110), 0.25),
    "LAG": Build(0.62, 0.45, 0.34, 1.0, 0.22, 0.20, 0.08, (120, 96, 112), (206, 132, 118), (186, 62, 52), 0.7),
    "SHARK": Build(0.17, 0.35, 0.30, 0.45, 0.22, 0.13, 0.05, (78, 86, 96), (188, 190, 190), (72, 78, 88), 1.5),
}
OTHERS = (
    Build(0.13, 0.45, 0.16, 1.0, 0.10, 0.05, 0.05, (70, 76, 72), (190, 186, 172), (90, 90, 82), 1.8),
    Build(0.34, 0.40, 0.24, 1.0, 0.14, 0.14, 0.06, (104, 84, 66), (196, 178, 150), (118, 92, 70), 0.8),
    Build(0.18, 0.30, 0.38, 1.0, 0.16, 0.26, 0.05, (36, 44, 74), (170, 176, 186), (32, 38, 66), 2.4),
)
STEPS = 28


@dataclass(frozen=True)
class DrawnFish:
    """A fish on a clear layer. layer: RGBA. head, tail: pixels of the layer."""

    layer: Image.Image
    head: tuple[float, float]
    tail: tuple[float, float]


def draw_fish(species: str, *, length_px: float, angle_rad: float, rng: np.random.Generator) -> DrawnFish:
    """Return one fish of a species at an angle (0: head to the left), bent, blotched and shining as wet fish are."""
    build = OTHERS[rng.integers(len(OTHERS))] if species == "OTHER" else BUILDS[species]
    vary = rng.normal(1.0, 0.07, 8).clip(0.8, 1.2)
    side = int(length_px * 1.7) + 8
    place = _Placing(side / 2, length_px, angle_rad, float(rng.normal(0, 0.16)), 1 if rng.random() < 0.5 else -1)
    squash = float(rng.uniform(0.72, 1.0))  # Seen from above at a slant, a fish is narrower.
    layer = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for fin in _fins(build, vary, squash):
        draw.polygon([tuple(point) for point in place(fin)], fill=(*_shade(build.fins, rng, 14), 255))
    _draw_body(draw, build, vary, squash, place, rng)
    eye = place(np.array([[0.06 + 0.02 * vary[0], -0.03 * squash]]))[0]
    radius = length_px * (0.021 if species == "BET" else 0.013)
    draw.ellipse((eye[0] - radius, eye[1] - radius, eye[0] + radius, eye[1] + radius), fill=(18, 18, 20, 255))
    layer = _wet(layer, rng)
    head, tail = place(np.array([[0.0, 0.0], [1.0, 0.0]]))
    return DrawnFish(layer, (float(head[0]), float(head[1])), (float(tail[0]), float(tail[1])))


@dataclass(frozen=True)
class _Placing:
    """Takes body coordinates (x from snout 0 to tail 1, y down) to layer pixels: bent, turned, perhaps mirrored."""

    middle: float
    length_px: float
    angle_rad: float
    bend: float
    flip: int

    def __call__(self, points: Floats) -> Floats:
        x, y = points[:, 0] - 0.5, points[:, 1] * self.flip + self.bend * (points[:, 0] - 0.5) ** 2
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.stack([x * cos - y * sin, x * sin + y * cos], axis=1) * self.length_px + self.middle


def _profile(build: Build, depth: float) -> Floats:
    x = np.linspace(0, 1, STEPS)
    front = np.sin(np.pi / 2 * np.clip(x / build.deepest_at, 0, 1)) ** (0.75 * build.snout)
    rear = np.cos(np.pi / 2 * np.clip((x - build.deepest_at) / (0.96 - build.deepest_at), 0, 1)) ** 0.9
    return np.maximum(np.where(x < build.deepest_at, front, rear) * depth / 2, 0.012)


def _fins(build: Build, vary: Floats, squash: float) -> list[Floats]:
    half = build.depth * squash / 2
    span, fin, dorsal, second = (
        build.tail_span * vary[1] * squash,
        build.fin_length * vary[2],
        build.dorsal * vary[3],
        build.second_dorsal * vary[4],
    )
    tail_x = 1.0 + 0.06 * vary[5]
    return [
        np.array([[0.93, 0.0], [tail_x, -span / 2], [0.97, 0.0], [tail_x, span / 2 * build.tail_lower]]),
        np.array([[0.30, -half * 0.8], [0.38, -half - dorsal], [0.52, -half * 0.9]]),
        np.array([[0.58, -half * 0.7], [0.68, -half * 0.7 - second], [0.66, -half * 0.5]]),
        np.array([[0.60, half * 0.7], [0.70, half * 0.7 + second], [0.68, half * 0.5]]),
        np.array([[0.27, half * 0.1], [0.27 + fin, half * 0.5], [0.31, half * 0.45]]),
    ]


def _draw_body(
    draw: ImageDraw.ImageDraw,
    build: Build,
    vary: Floats,
    squash: float,
    place: _Placing,
    rng: np.random.Generator,
) -> None:
    x, half = np.linspace(0, 1, STEPS), _profile(build, build.depth * vary[6] * squash)
    back, belly = np.array(_shade(build.back, rng, 16)), np.array(_shade(build.belly, rng, 20))
    split = rng.uniform(0.35, 0.6)
    bands = 14
    for band in range(bands):
        low, high = -1 + 2 * band / bands, -1 + 2 * (band + 1.2) / bands
        share = 1 / (1 + np.exp(-((band / bands) - split) * 9))
        colour = back * (1 - share) + belly * share + rng.normal(0, 5, 3)
        strip = np.concatenate([np.stack([x, half * low], 1), np.stack([x, half * min(high, 1)], 1)[::-1]])
        draw.polygon([tuple(point) for point in place(strip)], fill=(*_bytes(colour), 255))


def _wet(layer: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blotches of blood and light on the fish, and a soft edge as a lens gives."""
    pixels = np.asarray(layer).astype(np.float32)
    rough = rng.normal(0, 1, (9, 9)).astype(np.float32)
    blotch = np.asarray(Image.fromarray(rough).resize(layer.size, Image.Resampling.BICUBIC))[..., None]
    pixels[..., :3] += blotch * rng.uniform(4, 22)
    pixels[..., :3] += np.maximum(blotch - 1.1, 0) * rng.uniform(0, 110)
    pixels[..., :3] += np.maximum(-blotch - 1.2, 0) * np.array([60, -50, -50]) * (rng.random() < 0.4)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


def _shade(colour: Colour, rng: np.random.Generator, spread: float) -> tuple[int, int, int]:
    return _bytes(np.array(colour) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3))


def _bytes(colour: Floats) -> tuple[int, int, int]:
    red, green, blue = colour.clip(0, 255).astype(int).tolist()
    return (red, green, blue)
