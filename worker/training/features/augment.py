"""Changes an image as another day, deck or camera might have, and its boxes exactly with it. numpy and Pillow only.

A `AugmentParameters` says how; it is drawn from a generator without a glance at the label, so that a corrected label
never changes what was cached. Coordinates are continuous pixels: the left edge of the first pixel is 0, its centre 0.5.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from worker.vision.letterbox import BORDER_GREY

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

VERSION = 1  # raise when the same generator gives another view
_MAX_TURN_DEG = 8.0  # cameras are bolted on: they lean a little, they do not roll
_ZOOM = (0.85, 1.3)
_MAX_SHIFT = 0.08  # of the sides
_GAIN = (0.75, 1.3)  # of each colour on its own: white balance, dusk, deck lamps
_LIGHT = (0.6, 1.5)
_CONTRAST = (0.7, 1.3)
_GREY = (0.0, 0.6)  # mixed in; some cameras are nearly monochrome
_MAX_BLUR_PX = 1.5
_JPEG_QUALITY = (25, 90)


@dataclass(frozen=True)
class AugmentParameters:
    """How an image is changed. Geometry first, then light and colour, blur, and JPEG's own noise last.

    turn_deg: counter-clockwise about the middle. zoom: above 1 enlarges, which crops. shift: parts of width, height.
    gain: factors of red, green, blue. light, contrast: factors, contrast about the mean. grey: share mixed in, 0..1.
    blur_px: deviation of the Gaussian. jpeg_quality: 1..95, None for none.
    """

    mirrored: bool = False
    turn_deg: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    light: float = 1.0
    contrast: float = 1.0
    grey: float = 0.0
    blur_px: float = 0.0
    jpeg_quality: int | None = None


def draw_look(rng: np.random.Generator) -> AugmentParameters:
    """Return a look drawn at random; half of all images are mirrored, a third blurred, half compressed again."""
    zoom, light = np.exp(rng.uniform(np.log(_ZOOM[0]), np.log(_ZOOM[1]))), rng.uniform(*np.log(_LIGHT))
    red, green, blue = np.exp(rng.uniform(np.log(_GAIN[0]), np.log(_GAIN[1]), 3))
    return AugmentParameters(
        mirrored=bool(rng.random() < 0.5),
        turn_deg=float(rng.uniform(-_MAX_TURN_DEG, _MAX_TURN_DEG)),
        zoom=float(zoom),
        shift=(float(rng.uniform(-_MAX_SHIFT, _MAX_SHIFT)), float(rng.uniform(-_MAX_SHIFT, _MAX_SHIFT))),
        gain=(float(red), float(green), float(blue)),
        light=float(np.exp(light)),
        contrast=float(rng.uniform(*_CONTRAST)),
        grey=float(rng.uniform(*_GREY)) if rng.random() < 0.3 else 0.0,
        blur_px=float(rng.uniform(0.3, _MAX_BLUR_PX)) if rng.random() < 1 / 3 else 0.0,
        jpeg_quality=int(rng.integers(*_JPEG_QUALITY)) if rng.random() < 0.5 else None,
    )


def change_image(pixels: Pixels, look: AugmentParameters) -> Pixels:
    """Return the image as this look shows it. pixels: (H, W, 3) RGB. Returns (H, W, 3); new ground is grey."""
    image = Image.fromarray(change_light(_moved(pixels, look), look))
    if look.blur_px:
        image = image.filter(ImageFilter.GaussianBlur(look.blur_px))
    if look.jpeg_quality is not None:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=look.jpeg_quality)
        image = Image.open(file)
    return np.array(image.convert("RGB"), dtype=np.uint8)


def change_light(pixels: Pixels, look: AugmentParameters) -> Pixels:
    """Return the image in this look's light and colours, nothing moved. pixels: (H, W, 3) RGB."""
    if (look.gain, look.light, look.contrast, look.grey) == ((1.0, 1.0, 1.0), 1.0, 1.0, 0.0):
        return np.ascontiguousarray(pixels)
    values = pixels.astype(np.float32) * (np.array(look.gain, dtype=np.float32) * np.float32(look.light))
    mean = values.mean()
    values = (values - mean) * np.float32(look.contrast) + mean
    values += (values.mean(axis=2, keepdims=True) - values) * np.float32(look.grey)
    changed: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return changed


def change_boxes(boxes: npt.ArrayLike, look: AugmentParameters, *, size_hw: tuple[int, int]) -> Floats:
    """Return where the boxes of an image lie in its changed view: the upright boxes around their moved corners.

    boxes: (N, 4) xyxy, pixels. Returns (N, 4), not cut at the frame.

    >>> change_boxes([[10, 0, 30, 5]], AugmentParameters(mirrored=True), size_hw=(50, 100)).tolist()
    [[70.0, 0.0, 90.0, 5.0]]
    """
    xyxy = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    corners = xyxy[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # (N, 4, 2) xy
    moved = change_points(corners, look, size_hw=size_hw)
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)


def change_points(points: npt.ArrayLike, look: AugmentParameters, *, size_hw: tuple[int, int]) -> Floats:
    """Return where points lie in the changed view. points: (..., 2) xy, pixels."""
    matrix = view_matrix(look, size_hw=size_hw)
    return np.asarray(np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2])


def visible_share(boxes: npt.ArrayLike, *, size_hw: tuple[int, int]) -> Floats:
    """Return how much of each box lies within the frame, 0..1. boxes: (N, 4) xyxy, pixels.

    >>> visible_share([[-10, 0, 10, 10]], size_hw=(50, 100)).tolist()
    [0.5]
    """
    xyxy = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    limit = np.array([size_hw[1], size_hw[0]] * 2, dtype=np.float64)
    inside = np.clip(xyxy, 0.0, limit)
    return _areas(inside) / np.maximum(_areas(xyxy), 1e-9)


def view_matrix(look: AugmentParameters, *, size_hw: tuple[int, int]) -> Floats:
    """Return the affine map from the image to its view, (2, 3): turned and zoomed about the middle, then moved."""
    rows, columns = size_hw
    angle, side = np.deg2rad(look.turn_deg), -1.0 if look.mirrored else 1.0
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # y points down
    linear = look.zoom * turn @ np.array([[side, 0.0], [0.0, 1.0]])
    middle = np.array([columns / 2.0, rows / 2.0])
    moved = middle + np.array([look.shift[0] * columns, look.shift[1] * rows]) - linear @ middle
    return np.concatenate([linear, moved[:, None]], axis=1)


def _moved(pixels: Pixels, look: AugmentParameters) -> Pixels:
    matrix = view_matrix(look, size_hw=(pixels.shape[0], pixels.shape[1]))
    if look.mirrored and np.array_equal(matrix, [[-1.0, 0.0, pixels.shape[1]], [0.0, 1.0, 0.0]]):
        return pixels[:, ::-1]
    # Pillow asks where each pixel of the view comes from: the inverse map.
    back = np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))[:2]
    image = Image.fromarray(pixels)
    view = image.transform(
        image.size,
        Image.Transform.AFFINE,
        tuple(back.ravel().tolist()),
        Image.Resampling.BILINEAR,
        fillcolor=(BORDER_GREY,) * 3,
    )
    return np.asarray(view, dtype=np.uint8)


def _areas(boxes: Floats) -> Floats:
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)
