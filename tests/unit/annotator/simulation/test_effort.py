"""What counts as wrong, and how soon each order of looking finds it."""

from __future__ import annotations

from random import Random

import pytest

from annotator.simulation.effort import review_effort
from annotator.uncertainty.is_wrong import is_wrong
from db.domain.answers import AnsweredBy, FinalAnswer
from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.predictions import Agreement, Detection, Head
from db.domain.results import StoredDetection
from db.store.review_queue import ReviewCandidate

FISH = LabelledBox(Box(100, 100, 200, 150), "BET")
SMALL = LabelledBox(Box(0, 0, 20, 20), "ALB")


def found(box: Box, head: Head = Head.BOX_SPECIES) -> Detection:
    return Detection(box, "BET", 0.9, head)


@pytest.mark.parametrize(
    ("species", "detections", "said", "wrong"),
    [
        pytest.param("BET", [found(FISH.box)], ImageLabel("BET", (SMALL, FISH)), False, id="largest fish found"),
        pytest.param("BET", [found(SMALL.box)], ImageLabel("BET", (SMALL, FISH)), True, id="another fish found"),
        pytest.param("BET", [found(FISH.box, Head.HEATMAP)], ImageLabel("BET", (FISH,)), False, id="heat map only"),
        pytest.param("ALB", [found(FISH.box)], ImageLabel("BET", (FISH,)), True, id="species"),
        pytest.param("NoF", [], ImageLabel("NoF"), False, id="rightly empty"),
        pytest.param("BET", [], ImageLabel("BET"), False, id="only the species is known"),
        # 50 of 100 columns: IoU 0.5, just found; 49: not.
        pytest.param("BET", [found(Box(100, 100, 150, 150))], ImageLabel("BET", (FISH,)), False, id="IoU 0.50"),
        pytest.param("BET", [found(Box(100, 100, 149, 150))], ImageLabel("BET", (FISH,)), True, id="IoU 0.49"),
    ],
)
def test_wrong_is_another_species_or_no_box_of_either_head_on_the_largest_fish(species, detections, said, wrong):
    assert is_wrong(species, detections, said) is wrong


def candidate(number: int, *, species: str, agreement: float, confidence: float) -> ReviewCandidate:
    return ReviewCandidate(
        prediction_id=number,
        image_id=number,
        sha256=str(number),
        file=b"/fleet/1.jpg",
        camera="a",
        width_px=640,
        height_px=360,
        species=species,
        answer=FinalAnswer(species, AnsweredBy.MODEL, {species: confidence}),
        agreement=Agreement(agreement, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 1),
        detections=(StoredDetection(number, found(FISH.box), None),),
        error_probability=1.0 - agreement,
        heatmap=None,
    )


def test_each_order_is_counted_on_the_images_whose_truth_is_known():
    # Number 3 is wrong: the heads disagree on it, but both are sure.
    candidates = [
        candidate(n, species="ALB" if n == 3 else "BET", agreement=0.1 if n == 3 else 0.5 + n / 100, confidence=0.1 * n)
        for n in range(8)
    ]
    truth = {str(n): ImageLabel("BET", (FISH,)) for n in range(5)}

    quality = {n: float(n != 3) for n in range(8)}

    effort = review_effort(candidates, truth, looked_share=0.2, rng=Random(0), others={"quality": quality})

    assert (effort.images, effort.wrong) == (5, 1)
    assert effort.curves["our order"] == (0, 1, 1, 1, 1, 1)
    assert effort.curves["least confidence"] == (0, 0, 0, 0, 1, 1)
    assert effort.shares["our order"] == 1.0 and effort.shares["least confidence"] == 0.0
    assert effort.curves["quality"] == (0, 1, 1, 1, 1, 1)
    assert effort.curves["random"][-1] == 1
