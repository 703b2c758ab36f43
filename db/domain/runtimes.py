"""The runtimes that can serve a network, and which one a machine has chosen for a model version."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Runtime(StrEnum):
    """A library and a precision. `keras` is the reference that the others are compared with."""

    KERAS = "keras"
    KERAS_BF16 = "keras-bf16"
    OPENVINO = "openvino"
    OPENVINO_BF16 = "openvino-bf16"
    OPENVINO_INT8 = "openvino-int8"

    @property
    def needs_openvino(self) -> bool:
        """Whether the extra `openvino` must be installed."""
        return self.value.startswith("openvino")


class RuntimeFigures(BaseModel):
    """What a runtime costs on a machine and loses against `keras` on the same held-out images.

    image_ms: processor time of the detector an image. crop_ms: of the second stage a crop, 0 where there is none.
    The losses are positive where the runtime is worse: balanced accuracy (0..1), IoU of the box, log loss (nats).
    """

    model_config = ConfigDict(frozen=True)

    runtime: Runtime
    image_ms: float
    crop_ms: float
    balanced_accuracy_lost: float = 0.0
    iou_lost: float = 0.0
    log_loss_gained: float = 0.0
    problem: str | None = None


class RuntimeLimits(BaseModel):
    """What a runtime may lose. Balanced accuracy in parts of 1: 0.002 are 0.2 points."""

    model_config = ConfigDict(frozen=True)

    balanced_accuracy: float = 0.002
    iou: float = 0.01
    log_loss: float = 0.005


class RuntimeChoice(BaseModel):
    """What a machine serves a model version with, and the figures that it was chosen by. crops: crops an image."""

    model_config = ConfigDict(frozen=True)

    machine: str
    runtime: Runtime
    images: int
    crops: float
    figures: tuple[RuntimeFigures, ...]


def fastest_within(figures: tuple[RuntimeFigures, ...], *, crops: float, limits: RuntimeLimits) -> Runtime:
    """Return the runtime of the least time an image among those that lose no more than the limits allow.

    crops: the crops that an image brings on average.

    >>> keras = RuntimeFigures(runtime=Runtime.KERAS, image_ms=40, crop_ms=5)
    >>> int8 = RuntimeFigures(runtime=Runtime.OPENVINO_INT8, image_ms=12, crop_ms=2, iou_lost=0.03)
    >>> bf16 = RuntimeFigures(runtime=Runtime.OPENVINO_BF16, image_ms=21, crop_ms=2.3)
    >>> str(fastest_within((keras, int8, bf16), crops=3.0, limits=RuntimeLimits()))
    'openvino-bf16'
    """
    sound = [one for one in figures if one.problem is None and _loses_little(one, limits)]
    if not sound:
        return Runtime.KERAS
    return min(sound, key=lambda one: one.image_ms + crops * one.crop_ms).runtime


def _loses_little(one: RuntimeFigures, limits: RuntimeLimits) -> bool:
    return (
        one.balanced_accuracy_lost <= limits.balanced_accuracy
        and one.iou_lost <= limits.iou
        and one.log_loss_gained <= limits.log_loss
    )
