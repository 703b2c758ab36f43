"""The one final answer of an image: its species and its boxes, by a person where one decided, else by the model.

Whatever shows, counts or exports an answer takes it from here, so all of them say the same. The model's answer:

1. The image's species is the most probable one of its final distribution (`db.domain.final_answer`).
2. "No fish" has no boxes. Else each fish is boxed once, by the heat-map head, whose boxes fit better than the box
   head's (figures in docs/results.md); where it boxed nothing, the box head's box stands.
3. A box has the image's distribution with its own crop in the place of all crops, "no fish" left aside. The mean of
   the boxes, each counted by its vote, is then the image's own distribution, so both say the same.
4. Where no box would be called what the image is called, the box that is it most likely is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from db.domain.boxes import Box
from db.domain.corrections import Correction
from db.domain.final_answer import most_probable
from db.domain.labels import ImageLabel
from db.domain.predictions import Head
from db.domain.results import ImageResult, StoredDetection, StoredPrediction
from db.domain.species import NO_FISH

# Boxes of one fish by different cells are often a part of each other, so the smaller one counts.
SAME_FISH_SHARE = 0.5


class AnsweredBy(StrEnum):
    """Whose word an answer is; `duplicate` is a person's word of another image, which shows the same."""

    PERSON = "person"
    DUPLICATE = "duplicate"
    MODEL = "model"


@dataclass(frozen=True)
class AnswerBox:
    """One fish of an answer.

    probability: that it is of this species, if it is a fish. fish_probability: that it is one; a person's are 1.
    detection_id: the detection that it is, None where a person drew it. head_px, tail_px: where a person marked them.
    """

    box: Box
    species: str
    probability: float
    fish_probability: float
    detection_id: int | None = None
    head_px: tuple[float, float] | None = None
    tail_px: tuple[float, float] | None = None

    @property
    def score(self) -> float:
        """The probability of a fish of this species, 0..1: what rankings of boxes go by."""
        return self.fish_probability * self.probability


@dataclass(frozen=True)
class FinalAnswer:
    """What an image shows. probabilities: by species, sum to 1. boxes: the surest first, none where it shows no fish.

    A fish without any box is known to be in the image, and not where. reviewer: who answered, None for the model.

    Raises:
        ValueError: no fish with a box, or a species that none of the boxes has.
    """

    species: str
    by: AnsweredBy
    probabilities: Mapping[str, float]
    boxes: tuple[AnswerBox, ...] = ()
    reviewer: str | None = field(default=None)

    def __post_init__(self) -> None:
        if self.boxes and self.species not in {found.species for found in self.boxes}:
            named = ", ".join(found.species for found in self.boxes)
            raise ValueError(f"the image is called {self.species}, and its boxes {named}")

    @property
    def probability(self) -> float:
        """The probability of the species, 0..1."""
        return self.probabilities.get(self.species, 0.0)


def final_answer(result: ImageResult, *, at_least: float | None = None) -> FinalAnswer | None:
    """Return what an image shows: as a person said, else as the model says; None where neither did.

    at_least: as for `model_answer`.
    """
    if result.review is not None and result.review.label is not None:
        return person_answer(result.review, result.review.label)
    return predicted_answer(result, at_least=at_least)


def predicted_answer(result: ImageResult, *, at_least: float | None = None) -> FinalAnswer | None:
    """Return what the model says of an image, whatever a person said; None where it has no prediction."""
    return model_answer(result.prediction, at_least=at_least) if result.prediction is not None else None


def box_words(found: AnswerBox) -> str:
    """Return what people are told of a box.

    >>> box_words(AnswerBox(Box(0, 0, 2, 1), "BET", 0.668, 0.92))
    'fish 0.92, BET 0.67'
    """
    return f"fish {found.fish_probability:.2f}, {found.species} {found.probability:.2f}"


def person_answer(said: Correction, label: ImageLabel) -> FinalAnswer:
    """Return a person's word. label: what the correction says, with every box."""
    boxes = tuple(
        AnswerBox(
            fish.box,
            fish.species,
            1.0,
            1.0,
            detection_id=_kept_detection(said, fish.box),
            head_px=fish.head_px,
            tail_px=fish.tail_px,
        )
        for fish in label.boxes
    )
    species = label.largest.species if label.largest is not None else label.species
    by = AnsweredBy.PERSON if said.duplicate_of is None else AnsweredBy.DUPLICATE
    return FinalAnswer(species, by, {species: 1.0}, boxes, reviewer=said.reviewer)


def model_answer(prediction: StoredPrediction, *, at_least: float | None = None) -> FinalAnswer:
    """Return the model's answer. at_least: the fish probability that all boxes but the surest need, 0..1.

    None takes what suits the model's confidences.
    """
    species = prediction.final_species
    found = _answer_detections(prediction, at_least=prediction.sure_box if at_least is None else at_least)
    boxes = _named_like_the_image(tuple(_answer_box(prediction, one) for one in found), prediction, found)
    probabilities = dict(zip(prediction.species, prediction.probabilities, strict=True))
    return FinalAnswer(species, AnsweredBy.MODEL, probabilities, boxes)


def _answer_detections(prediction: StoredPrediction, *, at_least: float) -> tuple[StoredDetection, ...]:
    if prediction.final_species == NO_FISH:
        return ()
    fish = heatmap_fish(prediction.detections, at_least=at_least)
    return fish or tuple(found for found in prediction.detections if found.detection.head is Head.BOX_SPECIES)


def heatmap_fish(detections: Sequence[StoredDetection], *, at_least: float) -> tuple[StoredDetection, ...]:
    """Return the heat-map head's boxes, one a fish: the surest in any case, others of at least this confidence.

    A box whose crop the second stage takes for no fish is out where another is left.
    """
    boxed = [found for found in detections if found.detection.head is Head.HEATMAP]
    boxed.sort(key=lambda found: -found.detection.confidence)
    kept: list[StoredDetection] = []
    for found in [found for found in boxed if found.crop_species != NO_FISH] or boxed[:1]:
        sure = not kept or found.detection.confidence >= at_least
        if sure and all(_shared(found.detection.box, other.detection.box) < SAME_FISH_SHARE for other in kept):
            kept.append(found)
    return tuple(kept)


def _answer_box(prediction: StoredPrediction, found: StoredDetection) -> AnswerBox:
    shares = fish_shares(prediction, found)
    species = most_probable(tuple(shares.values()), tuple(shares))
    return AnswerBox(
        found.detection.box, species, shares[species], found.detection.confidence, detection_id=found.detection_id
    )


def _named_like_the_image(
    boxes: tuple[AnswerBox, ...], prediction: StoredPrediction, found: Sequence[StoredDetection]
) -> tuple[AnswerBox, ...]:
    species = prediction.final_species
    if not boxes or species in {box.species for box in boxes}:
        return boxes
    shares = [fish_shares(prediction, one)[species] for one in found]
    nearest = max(range(len(boxes)), key=shares.__getitem__)
    renamed = replace(boxes[nearest], species=species, probability=shares[nearest])
    return (*boxes[:nearest], renamed, *boxes[nearest + 1 :])


def fish_shares(prediction: StoredPrediction, found: StoredDetection) -> dict[str, float]:
    """Return a box's distribution over the species that are fish, in the model's order; sums to 1."""
    heads = zip(prediction.box_probabilities, prediction.heatmap_probabilities, strict=True)
    mixed = dict(zip(prediction.species, [(one + other) / 2.0 for one, other in heads], strict=True))
    crop = _fish_only(dict(zip(prediction.species, found.crop_probabilities or (), strict=False)))
    if prediction.crop_probabilities is not None and sum(crop.values()) > 0.0:
        any_fish = 1.0 - dict(zip(prediction.species, prediction.crop_probabilities, strict=True)).get(NO_FISH, 0.0)
        weight = prediction.crop_weight
        scale = any_fish / sum(crop.values())
        mixed = {name: (1.0 - weight) * share + weight * scale * crop.get(name, 0.0) for name, share in mixed.items()}
    fish = _fish_only(mixed)
    total = sum(fish.values())
    return {name: share / total if total > 0.0 else 1.0 / len(fish) for name, share in fish.items()}


def _fish_only(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: share for name, share in shares.items() if name != NO_FISH}


def _kept_detection(said: Correction, box: Box) -> int | None:
    """The detection that a person left in its place, None where the box is their own."""
    for changed in said.changes:
        if changed.after is not None and changed.after.box == box:
            return changed.detection_id
    return None


def _shared(first: Box, second: Box) -> float:
    """The share of the smaller box that lies in the other."""
    width_px = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    height_px = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    return max(0.0, width_px) * max(0.0, height_px) / min(first.area_px, second.area_px)
