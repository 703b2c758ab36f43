"""Estimates a camera's fish size from some of its images, with the detector that is going to answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from db.domain.fish_size import InputStep, fish_size_px
from worker.cameras.estimate_size import SeenAtStep, estimate_fish_px
from worker.images.decode import DecodedImage
from worker.inference.detector import AnyDetector, inputs_of
from worker.vision.centre_boxes import CentreBox
from worker.vision.centre_detections import CentreMaps, in_original
from worker.vision.letterbox import Letterbox, fit_letterbox, letterbox_image

# A few images of a camera show whether its fish are large or small; each is looked at in every input.
IMAGES_A_CAMERA = 10
_BOXES_AN_IMAGE = 2


def estimated_fish_px(
    detector: AnyDetector, images: Sequence[DecodedImage], *, check: Callable[[], None] = lambda: None
) -> float | None:
    """Return the typical fish size of a camera in the nominal frame, None where no fish is seen clearly.

    images: of one camera, decoded at least as large as the largest input. check: called before each look; may raise.
    """
    if not images:
        return None

    def look(step: InputStep) -> SeenAtStep:
        check()
        return _seen_at(detector, images, step)

    return estimate_fish_px(inputs_of(detector.card), look)


def _seen_at(detector: AnyDetector, images: Sequence[DecodedImage], step: InputStep) -> SeenAtStep:
    canvases = [letterbox_image(one.pixels, into_hw=step.input_hw)[0] for one in images]
    raw = detector.predict(np.stack(canvases), once=True)  # scores at several inputs are compared
    scores: list[float] = []
    sizes_px: list[float] = []
    for row, image in enumerate(images):
        assert raw.centres is not None and raw.ltrb_offsets is not None  # only a centre detector has several inputs
        letterbox = fit_letterbox(width_px=image.width_px, height_px=image.height_px, into_hw=step.input_hw)
        maps = CentreMaps(raw.centres[row, ..., 0], raw.ltrb_offsets[row], raw.heatmap[row])
        for box in maps.boxes(letterbox)[:_BOXES_AN_IMAGE]:
            if (size_px := _size_px(box, letterbox)) is not None:
                scores.append(box.score)
                sizes_px.append(size_px)
    return SeenAtStep(step, np.array(scores), np.array(sizes_px))


def _size_px(box: CentreBox, letterbox: Letterbox) -> float | None:
    found = in_original(box.box, letterbox)
    size = {"width_px": letterbox.width_px, "height_px": letterbox.height_px}
    return fish_size_px(found, **size) if found is not None else None
