"""How long a training takes, told before it begins. Figures are processor seconds of a 2026 server core (AVX-512)."""

from __future__ import annotations

import math
import os

from worker.models.names import CropMethod
from worker.training.crops.networks import fine_tuned_steps
from worker.training.crops.settings import CropTrainSettings
from worker.training.detector.centre_fit import CentreFit

# Measured (docs/detector.md). A batch goes through the trunk once, and two centre heads and the species heads learn.
_BATCH_S = 0.85
_TUNED_BATCH_S = 1.6
_CROP_STEP_S = 0.85  # 32 crops, forward and back
_CROP_VIEW_S, _VIEWS = 0.006, 10
_IMAGE_S = 0.25  # decoded, and a part of them answered for the figures
_START_S = 40.0  # libraries, graphs
_USEFUL_CORES = 4  # batches of eight keep no more busy


def expected_processor_s(
    *,
    images: int,
    boxes: int,
    method: CropMethod | None,
    fit: CentreFit | None = None,
    finetune_trunk: bool = False,
) -> float:
    """Return the processor seconds of a centre detector's training. images, boxes: labelled. method: second stage.

    finetune_trunk: the whole detector is tuned, too.

    >>> 6 < expected_processor_s(images=150, boxes=170, method=CropMethod.FINETUNE) / 60 < 8
    True
    >>> expected_processor_s(images=1, boxes=0, method=CropMethod.FINETUNE) > 0
    True
    >>> 60 < expected_processor_s(images=3800, boxes=4200, method=CropMethod.FINETUNE) / 60 < 80
    True
    """
    each_s = _BATCH_S + (_TUNED_BATCH_S if finetune_trunk else 0.0)
    detector = (fit or CentreFit()).steps(images) * each_s + images * _IMAGE_S + _START_S
    if method is None:
        return detector
    crops = boxes + images // 4  # and backgrounds
    features = crops * _VIEWS * _CROP_VIEW_S
    tuned = fine_tuned_steps(crops, CropTrainSettings()) if crops and method is CropMethod.FINETUNE else 0
    return detector + features + tuned * _CROP_STEP_S


def time_in_words(processor_s: float, *, cores: int | None = None) -> str:
    """Return a time to wait, in words, of this machine when it has nothing else to do.

    >>> time_in_words(480.0, cores=2), time_in_words(3000.0, cores=1)
    ('about 5 minutes on 2 idle cores', 'about 50 minutes on 1 idle core')
    """
    found = cores or os.cpu_count() or 1
    useful = min(found, _USEFUL_CORES)
    # Two cores do 1.7 times one's work: drawing and Python take turns with the network.
    minutes = max(1, math.ceil(processor_s / 60.0 / useful**0.77))
    return f"about {minutes} minute{'s' * (minutes != 1)} on {useful} idle core{'s' * (useful != 1)}"
