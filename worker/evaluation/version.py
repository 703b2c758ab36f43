"""Evaluates a model version as it serves on the images of its held-out cameras: each prediction, and the final
answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from db.domain.model_versions import ModelCard
from db.domain.predictions import Head
from db.domain.species import LabelSet
from db.progress import Progress
from worker.evaluation.answers import Answers, EvaluatedImages, Floats, FoundFish
from worker.evaluation.compared_models import MAJORITY, majority
from worker.images.labelled import Skip
from worker.inference.detector import AnyDetector
from worker.inference.second_stage import CropClassifier
from worker.models.errors import ModelError
from worker.training.crops.evaluate import EvaluatedImage, cross_weighted, evaluate_images
from worker.training.data.samples import TrainingSample
from worker.training.detector.train_head import average_species
from worker.vision.heatmaps import pack_heatmap

FIRST_STAGE, FINAL = "first_stage", "final_answer"


@dataclass(frozen=True)
class Sides:
    """A version's images: those it may have learnt from, and those of cameras held out from it."""

    learnt: Sequence[TrainingSample]
    unseen: Sequence[TrainingSample]


def sides_of(model_id: str, card: ModelCard, samples: Sequence[TrainingSample]) -> Sides:
    """Return which labelled images a version has not seen.

    Raises:
        ModelError: there are none, or nobody knows which; says why.
    """
    held = set(card.folds[0]) if card.folds else set()
    instead = "`cli evaluate` without --model evaluates its recipe"
    if card.recipe.final_fit:
        raise ModelError(f"model {model_id}: learnt from every image in the end (--final-fit); {instead}")
    if not held:
        raise ModelError(
            f"model {model_id}: was evaluated on images drawn at random, no camera is new to it; {instead}"
        )
    unseen = [sample for sample in samples if sample.camera in held]
    if not unseen:
        names = ", ".join(sorted(held))
        raise ModelError(f"model {model_id}: no labelled image is of a camera held out from it ({names}); {instead}")
    return Sides([sample for sample in samples if sample.camera not in held], unseen)


def evaluate_version(
    card: ModelCard,
    sides: Sides,
    *,
    detector: AnyDetector,
    crop_classifier: CropClassifier | None,
    weight_fitted_on_others: bool = False,
    heatmaps: bool,
    on_skipped: Skip,
    progress: Progress,
) -> tuple[EvaluatedImages, list[Answers]]:
    """Return the unseen images and what is said of them: majority, both heads, their mean, the final answer.

    The second stage's share in a camera's final answers is the one that suits the other cameras where the version's own
    was fitted on all of them, as it is unless weight_fitted_on_others.
    Raises:
        ModelError: none of the images can be read.
    """
    label_set = LabelSet(card.species)
    said = evaluate_images(
        sides.unseen, detector=detector, crop_classifier=crop_classifier, on_skipped=on_skipped, progress=progress
    )
    if not said:
        raise ModelError(f"none of the {len(sides.unseen)} held-out images can be read")
    evaluated = EvaluatedImages([one.sample for one in said], np.zeros(len(said), dtype=np.int64), label_set)
    box = _head(card.heads[0] if card.heads else "box_species", said, Head.BOX_SPECIES, label_set)
    heat = _head(card.heads[1] if card.heads else "heatmap", said, Head.HEATMAP, label_set)
    maps = [pack_heatmap(one.prediction.heatmap) for one in said] if heatmaps else []
    first = Answers(
        FIRST_STAGE,
        average_species([box.probabilities, heat.probabilities]),
        largest=box.largest,
        found=heat.found,
        heatmaps=maps,
    )
    answers = [_majority(sides, label_set, len(said)), box, heat, first]
    if crop_classifier is not None:
        if weight_fitted_on_others:
            final = np.array([one.final(crop_classifier.part.weight) for one in said], dtype=np.float64)
        else:
            final = cross_weighted(said, evaluated.truth)
        answers.append(Answers(FINAL, final, largest=box.largest, found=heat.found, heatmaps=maps))
    return evaluated, answers


def _head(name: str, said: Sequence[EvaluatedImage], head: Head, label_set: LabelSet) -> Answers:
    found = [
        [
            FoundFish(one.box.xyxy, label_set.index(one.species), one.confidence)
            for one in image.prediction.of_head(head)
        ]
        for image in said
    ]
    if head is Head.BOX_SPECIES:
        largest: Floats | None = np.array([fish[0].xyxy if fish else (0.0,) * 4 for fish in found])
        distributions = [image.prediction.box_probabilities for image in said]
    else:
        largest, distributions = None, [image.prediction.heatmap_probabilities for image in said]
    return Answers(name, np.array(distributions, dtype=np.float64), largest=largest, found=found)


def _majority(sides: Sides, label_set: LabelSet, count: int) -> Answers:
    """The species of the images it could learn from; of all where it was told of none."""
    samples = sides.learnt or sides.unseen
    learnt = np.array([label_set.index(sample.label.species) for sample in samples], dtype=np.int64)
    return Answers(MAJORITY, majority(learnt, species=len(label_set), count=count))
