"""Lets a camera's images answer together: each crop hears those that look like it, before the same camera.

The same rule for serving and for evaluation. Pure: what is stored of crops goes in, what they say together comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from db.domain.final_answer import CropPrediction, Distribution, image_prediction
from db.domain.model_versions import SecondStage
from db.domain.species import NO_FISH
from worker.vision.neighbours import MIN_CROPS, agree_with_neighbours

EMBEDDING_TYPE = np.dtype("<f2")
"""As embeddings are stored, beside each detection."""

# Every crop is compared with every other: of more, the next so many in the images' order answer by themselves.
_CROPS_AT_ONCE = 20_000
_FLOOR = 1e-12


@dataclass(frozen=True)
class HearingRule:
    """What the rule needs of a card. temperature: of the crops' own answers; heard_temperature: of those after."""

    species: tuple[str, ...]
    temperature: float
    heard_temperature: float


@dataclass(frozen=True)
class OwnAnswer:
    """What the second stage says of one image alone: a distribution, an embedding and a confidence a detection."""

    crops: tuple[Distribution, ...]
    embeddings: tuple[bytes, ...]
    confidences: tuple[float, ...]


@dataclass(frozen=True)
class HeardAnswer:
    """What it says after the others were heard. image: of all crops."""

    crops: tuple[Distribution, ...]
    image: Distribution


def answer_together(images: Sequence[OwnAnswer], rule: HearingRule) -> list[HeardAnswer | None]:
    """Return the answers of one camera's images, in their order; None where an image's own stands.

    Its own stands where nothing was detected and where the camera has too few crops.
    """
    heard: list[HeardAnswer | None] = []
    for block in _blocks(images):
        heard += _block(block, rule)
    return heard


def rule_of(part: SecondStage) -> HearingRule | None:
    """Return a second stage's rule; None where its crops do not hear each other."""
    if part.neighbour_temperature is None:
        return None
    return HearingRule(part.species, part.temperature, part.neighbour_temperature)


def hear_cameras(
    alone: Sequence[CropPrediction],
    *,
    confidences: Sequence[tuple[float, ...]],
    cameras: Sequence[str],
    part: SecondStage,
) -> list[CropPrediction]:
    """Return what the second stage says of images after each camera's were heard together, as a job's last step does.

    alone, confidences, cameras: one an image; confidences: one a detection.
    """
    rule, heard = rule_of(part), list(alone)
    if rule is None:
        return heard
    for camera in sorted(set(cameras)):
        rows = [row for row, name in enumerate(cameras) if name == camera]
        own = [OwnAnswer(alone[row].crops, alone[row].embeddings, confidences[row]) for row in rows]
        for row, answer in zip(rows, answer_together(own, rule), strict=True):
            if answer is not None:
                heard[row] = replace(alone[row], crops=answer.crops, image=answer.image)
    return heard


def _blocks(images: Sequence[OwnAnswer]) -> Iterator[list[OwnAnswer]]:
    block: list[OwnAnswer] = []
    crops = 0
    for image in images:
        if block and crops + len(image.crops) > _CROPS_AT_ONCE:
            yield block
            block, crops = [], 0
        block.append(image)
        crops += len(image.crops)
    if block:
        yield block


def _block(images: Sequence[OwnAnswer], rule: HearingRule) -> list[HeardAnswer | None]:
    own = [crop for image in images for crop in image.crops]
    if len(own) < MIN_CROPS:
        return [None] * len(images)
    logits = rule.temperature * np.log(np.maximum(np.array(own), _FLOOR))
    features = np.stack([np.frombuffer(one, EMBEDDING_TYPE) for image in images for one in image.embeddings])
    said = softmax(agree_with_neighbours(logits, features) / rule.heard_temperature, axis=1)
    ends = np.cumsum([len(image.crops) for image in images])
    parts = np.split(said, ends[:-1])
    return [_answer(image, part, rule) for image, part in zip(images, parts, strict=True)]


def _answer(image: OwnAnswer, said: npt.NDArray[np.float64], rule: HearingRule) -> HeardAnswer | None:
    crops = tuple(tuple(row) for row in said.tolist())
    together = image_prediction(crops, image.confidences, no_fish=rule.species.index(NO_FISH))
    return None if together is None else HeardAnswer(crops, together)
