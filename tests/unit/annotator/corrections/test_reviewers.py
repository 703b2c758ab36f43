"""Two people on the same images."""

from __future__ import annotations

import pytest

from annotator.corrections.reviewers import compare_reviewers, say_the_same
from db.domain.boxes import Box
from db.domain.corrections import Correction, CorrectionOutcome
from db.domain.labels import ImageLabel, LabelledBox


def fish(species: str, x_min: float = 0.0) -> LabelledBox:
    return LabelledBox(Box(x_min, 0, x_min + 100, 50), species)


def label(*boxes: LabelledBox) -> ImageLabel:
    return ImageLabel(boxes[0].species if boxes else "NoF", boxes)


def said(**by_reviewer: ImageLabel) -> dict[str, Correction]:
    return {
        name: Correction("s", held, CorrectionOutcome.CORRECTED, (), name, "2026-01-01T00:00:00+00:00", "e", "m")
        for name, held in by_reviewer.items()
    }


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        pytest.param(label(), label(), True, id="both empty"),
        pytest.param(label(fish("ALB")), label(), False, id="one empty"),
        # 90 of 110 columns shared: IoU 0.82.
        pytest.param(label(fish("ALB")), label(fish("ALB", 10)), True, id="nearly the same box"),
        # 50 of 150: IoU 0.33.
        pytest.param(label(fish("ALB")), label(fish("ALB", 50)), False, id="another place"),
        pytest.param(label(fish("ALB"), fish("BET", 200)), label(fish("ALB", 200), fish("BET")), False, id="swapped"),
        pytest.param(label(fish("ALB"), fish("ALB", 200)), label(fish("ALB", 200), fish("ALB")), True, id="order"),
    ],
)
def test_answers_are_the_same_where_species_and_places_are(first, second, same):
    assert say_the_same(first, second) is same


def test_a_report_counts_pairs_species_and_overlap():
    found = compare_reviewers(
        {
            "a": said(ana=label(fish("ALB")), ben=label(fish("YFT"))),
            "b": said(ana=label(fish("ALB")), ben=label(fish("ALB"))),
            "c": said(ana=label(fish("YFT")), ben=label(fish("ALB", 10))),
        }
    )

    assert (found.images, found.pairs, found.agreeing) == (3, 3, 1)
    assert found.confusion == {("ALB", "YFT"): 2, ("ALB", "ALB"): 1}
    assert found.mean_iou == pytest.approx((1 + 1 + 90 / 110) / 3)
    assert found.open_cases == ("a", "c")


def test_a_third_opinion_closes_a_case_only_by_agreeing_with_one():
    two = {"ana": label(fish("ALB")), "ben": label(fish("YFT"))}

    settled = compare_reviewers({"a": said(**two, eve=label(fish("ALB")))})
    still_open = compare_reviewers({"a": said(**two, eve=label())})

    assert (settled.open_cases, still_open.open_cases) == ((), ("a",))


def test_nobody_twice_is_no_report():
    found = compare_reviewers({})

    assert (found.pairs, found.mean_iou, found.open_cases) == (0, None, ())
