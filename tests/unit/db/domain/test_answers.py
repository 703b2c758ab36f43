"""An image's one answer: each fish once, boxes and image called alike, and a person's word before the model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.domain.answers import AnswerBox, AnsweredBy, FinalAnswer, final_answer, model_answer, predicted_answer
from db.domain.boxes import Box
from db.domain.corrections import BoxChange, Change, Correction, CorrectionOutcome
from db.domain.final_answer import image_prediction
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.predictions import Detection, Head
from db.domain.results import StoredDetection, StoredPrediction
from db.domain.species import DEFAULT_LABEL_SET, NO_FISH
from tests.factories import image_result

LEFT, RIGHT = (10.0, 10.0, 110.0, 60.0), (300.0, 10.0, 400.0, 60.0)
NAMES = DEFAULT_LABEL_SET.names
NO_FISH_INDEX = DEFAULT_LABEL_SET.index(NO_FISH)


def said(
    *regions: tuple[str, float, Sequence[float]], crops: Sequence[str | None] = (), box: Sequence[float] = ()
) -> StoredPrediction:
    """A prediction with these regions; crops: what the second stage says of each, its share in the answer is 1."""
    prediction = image_result(box=box, regions=regions).prediction
    assert prediction is not None
    names = [None] * bool(box) + list(crops) + [None] * (len(regions) - len(crops))
    detections = tuple(
        replace(found, crop_species=name, crop_probabilities=sure(name) if name else None)
        for found, name in zip(prediction.detections, names, strict=True)
    )
    if not any(crops):
        return replace(prediction, detections=detections)
    return with_crops(replace(prediction, detections=detections), weight=1.0)


def sure(species: str) -> tuple[float, ...]:
    return tuple(0.79 if name == species else 0.03 for name in NAMES)


def with_crops(prediction: StoredPrediction, *, weight: float) -> StoredPrediction:
    crops = [found.crop_probabilities or sure(NO_FISH) for found in prediction.detections]
    votes = [found.detection.confidence for found in prediction.detections]
    image = image_prediction(crops, votes, no_fish=NO_FISH_INDEX)
    return replace(prediction, crop_probabilities=image, crop_weight=weight)


def places(prediction: StoredPrediction) -> list[tuple[float, ...]]:
    return [found.box.xyxy for found in model_answer(prediction).boxes]


def test_the_surest_box_goes_out_however_unsure_it_is_and_others_only_when_sure() -> None:
    assert places(said(("ALB", 0.4, LEFT), ("ALB", 0.3, RIGHT))) == [LEFT]
    assert places(said(("ALB", 0.95, LEFT), ("YFT", 0.99, RIGHT))) == [RIGHT, LEFT]


def test_confidences_that_are_chances_need_to_be_more_likely_fish_than_not() -> None:
    prediction = said(("ALB", 0.9, LEFT), ("ALB", 0.6, RIGHT))

    assert places(replace(prediction, sure_box=0.5)) == [LEFT, RIGHT]


def test_a_part_of_a_surer_box_is_the_same_fish() -> None:
    half_inside = (60.0, 10.0, 160.0, 60.0)  # shares 50 of its 100 pixels of width with LEFT
    beside = (61.0, 10.0, 161.0, 60.0)

    assert places(said(("ALB", 0.99, LEFT), ("ALB", 0.98, half_inside))) == [LEFT]
    assert places(said(("ALB", 0.99, LEFT), ("ALB", 0.98, beside))) == [LEFT, beside]


def test_a_crop_that_shows_no_fish_is_out_unless_it_is_the_last() -> None:
    assert places(said(("ALB", 0.99, LEFT), ("ALB", 0.97, RIGHT), crops=["NoF", "ALB"])) == [RIGHT]


def test_the_box_heads_box_stands_where_the_heat_map_has_none() -> None:
    assert places(said(box=LEFT)) == [LEFT]


def test_a_boxs_species_is_its_crops_and_not_its_heads() -> None:
    answer = model_answer(said(("ALB", 0.92, LEFT), crops=["BET"]))

    # The crop's 0.79 of the 0.97 that is left without "no fish".
    (box,) = answer.boxes
    assert (box.species, box.fish_probability) == ("BET", 0.92) and box.probability == pytest.approx(0.79 / 0.97)
    assert answer.species == "BET" and box.score == pytest.approx(0.92 * 0.79 / 0.97)


def test_without_a_second_stage_a_box_is_called_what_the_image_is_called() -> None:
    answer = model_answer(said(("YFT", 0.99, LEFT)))

    (box,) = answer.boxes
    assert answer.species == box.species == "ALB" and box.probability == pytest.approx(0.86 / 0.98)


def test_the_box_that_is_most_likely_the_images_species_is_called_so() -> None:
    prediction = said(("ALB", 0.99, LEFT), ("ALB", 0.98, RIGHT), crops=["BET", "DOL"])
    # Both heads say ALB, and the crops together less so than either of theirs alone: the image is called ALB.
    split = with_crops(prediction, weight=0.55)

    answer = model_answer(split)

    assert answer.species == "ALB" and [box.species for box in answer.boxes].count("ALB") == 1


def test_an_answer_whose_boxes_say_something_else_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="the image is called ALB, and its boxes BET"):
        FinalAnswer("ALB", AnsweredBy.MODEL, {"ALB": 1.0}, (AnswerBox(Box(*LEFT), "BET", 1.0, 1.0),))


def test_a_persons_word_is_the_answer_with_every_box_and_the_model_can_still_be_asked() -> None:
    kept, drawn = LabelledBox(Box(*LEFT), "YFT"), LabelledBox(Box(*RIGHT), "SHARK")
    changes = (
        BoxChange(Change.RELABELLED, LabelledBox(Box(*LEFT), "ALB"), kept, detection_id=1),
        BoxChange(Change.ADDED, None, drawn),
    )
    review = Correction(
        "ab" * 32,
        ImageLabel("YFT", (kept, drawn)),
        CorrectionOutcome.CORRECTED,
        changes,
        "ana",
        "2024-05-06",
        "e",
        "m1",
    )
    result = image_result(regions=[("ALB", 0.99, LEFT)], review=review)

    person, model = final_answer(result), predicted_answer(result)

    assert person is not None and model is not None
    assert (person.species, person.by, person.probability, person.reviewer) == ("YFT", AnsweredBy.PERSON, 1.0, "ana")
    assert [(box.species, box.score, box.detection_id) for box in person.boxes] == [
        ("YFT", 1.0, 1),
        ("SHARK", 1.0, None),
    ]
    assert (model.species, model.by) == ("ALB", AnsweredBy.MODEL)


def test_a_person_who_could_not_tell_leaves_the_models_answer() -> None:
    unsure = Correction("ab" * 32, None, CorrectionOutcome.UNSURE, (), "ana", "2024-05-06", "e", "m1")

    answer = final_answer(image_result(review=unsure))

    assert answer is not None and answer.by is AnsweredBy.MODEL


shares = st.lists(st.floats(0.01, 1.0), min_size=len(NAMES), max_size=len(NAMES)).map(
    lambda values: tuple(value / sum(values) for value in values)
)
detections = st.lists(
    st.tuples(st.floats(0, 500), st.floats(0, 250), st.floats(0, 1), shares, st.sampled_from(list(Head))), max_size=5
)


@given(box=shares, heatmap=shares, found=detections, weight=st.floats(0, 1))
@settings(deadline=None, max_examples=150)
def test_whatever_is_predicted_the_image_and_its_boxes_say_the_same(box, heatmap, found, weight) -> None:
    stored = tuple(
        StoredDetection(
            number, Detection(Box(x, y, x + 60, y + 40), "ALB", confidence, head), None,
            crop_species=NAMES[max(range(len(NAMES)), key=crop.__getitem__)], crop_confidence=max(crop),
            crop_probabilities=crop,
        )
        for number, (x, y, confidence, crop, head) in enumerate(found, start=1)
    )  # fmt: skip
    plain = image_result().prediction
    assert plain is not None
    prediction = with_crops(
        replace(plain, box_probabilities=box, heatmap_probabilities=heatmap, detections=stored), weight=weight
    )

    answer = model_answer(prediction)

    assert answer.species == prediction.final_species
    assert answer.boxes == () or (answer.species in {one.species for one in answer.boxes})
    assert all(0.0 <= one.score <= 1.0 and one.species != NO_FISH for one in answer.boxes)
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
