"""A camera's images answer together; where there is too little to hear, an image's own answer stands."""

from __future__ import annotations

import numpy as np
import pytest

from worker.inference.together import EMBEDDING_TYPE, HearingRule, OwnAnswer, answer_together

RULE = HearingRule(("ALB", "NoF", "YFT"), temperature=1.0, heard_temperature=1.0)
ALB, YFT = (0.8, 0.1, 0.1), (0.1, 0.1, 0.8)


def _image(*crops: tuple[float, ...]) -> OwnAnswer:
    embedding = np.array((1.0, 0.0), dtype=EMBEDDING_TYPE).tobytes()
    return OwnAnswer(crops, (embedding,) * len(crops), (0.9,) * len(crops))


def test_one_odd_answer_among_alike_fish_is_outvoted() -> None:
    heard = answer_together([*[_image(ALB)] * 7, _image(YFT)], RULE)

    assert all(one is not None and max(one.image) == one.image[0] for one in heard)


def test_an_image_without_a_detection_keeps_its_answer() -> None:
    heard = answer_together([*[_image(ALB)] * 7, _image()], RULE)

    assert heard[-1] is None
    assert None not in heard[:-1]


def test_a_camera_of_few_crops_answers_alone() -> None:
    assert answer_together([_image(ALB), _image(YFT), _image(ALB, ALB)], RULE) == [None, None, None]


def test_many_crops_are_answered_in_parts_in_the_images_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.inference.together._CROPS_AT_ONCE", 6)
    first, second = [_image(ALB)] * 6, [_image(YFT)] * 6

    together = answer_together([*first, *second], RULE)

    assert together == [*answer_together(first, RULE), *answer_together(second, RULE)]
