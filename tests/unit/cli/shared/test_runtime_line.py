"""What was chosen to run a model is told in one line, with what it saves."""

from __future__ import annotations

from cli.shared.runtimes import runtime_line
from db.domain.runtimes import Runtime, RuntimeChoice, RuntimeFigures

KERAS = RuntimeFigures(runtime=Runtime.KERAS, image_ms=40, crop_ms=5)
FAST = RuntimeFigures(runtime=Runtime.OPENVINO_BF16, image_ms=20, crop_ms=2)


def _choice(runtime: Runtime, *figures: RuntimeFigures) -> RuntimeChoice:
    return RuntimeChoice(machine="here", runtime=runtime, images=32, crops=2.0, figures=figures)


def test_a_faster_runtime_is_told_beside_keras() -> None:
    line = runtime_line(_choice(Runtime.OPENVINO_BF16, KERAS, FAST))

    assert line.startswith("openvino-bf16 serves it on machines of this kind: 24 ms of a processor an image, keras 50 ")


def test_keras_is_told_alone() -> None:
    missing = FAST.model_copy(update={"problem": "openvino is not installed"})

    assert "50 ms of a processor an image (by 32 held-out" in runtime_line(_choice(Runtime.KERAS, KERAS, missing))
